// Package policy makes decisions from what a tenant has configured.
//
// A tenant's configuration is a set of documents, one of each [Kind]: who may
// log in and what they must prove, who may enrol an authenticator without an
// operator and on which platforms, when a push is sent and what it asks for,
// when a user is locked, how long things last. What follows from the documents
// for one user at one moment is a pure function in this package. It does no I/O,
// reads no clock and keeps no state. Each rule can therefore be tested as a
// table, and an operator can be told why something was decided.
//
// A document is JSON, stored in a database row with a version. A tenant without
// the row has the default, which is suitable for production. A field that is
// missing from a document has its default too, so that a document written today
// stays complete in a later release with more fields. A list or a table is
// taken exactly as written. [Decode] is strict, because a misspelt field must
// not silently weaken a policy: an unknown field is an error that names the
// nearest known one. All problems are reported at once.
//
// Missing facts never permit anything. If no rule matches, the login is denied.
// An unknown address may be in any network. A locked authenticator still counts
// as an authenticator.
package policy

// Package policy decides. What a tenant wants is written down in documents,
// one of each [Kind]: who may log in and what they must prove, who may enrol
// an authenticator alone and on which platforms, when a push is sent and what
// it asks, when somebody is locked, how long things last. What follows from
// them for one person at one moment is a pure function here: no I/O, no clock
// of its own, nothing remembered, so that every rule can be read, and tested,
// as a table, and an operator can be told not only what was decided but why.
//
// A document is JSON, in a row of the database with a version. A tenant
// without the row has the default, which is fit to go live with. A field left
// out of a document has its default too, so that a document written today is
// whole to a later release that knows more fields; a list or a table, though,
// is exactly what is written. [Decode] is strict: a mistyped field must not
// quietly leave a door open, so an unknown one is an error that names the
// nearest known one, and all that is wrong is reported at once.
//
// Where facts are missing, decisions fall on the closed side: no rule matches
// is a denial, an address nobody knows may be in any network, an authenticator
// that is locked still counts as having one.
package policy

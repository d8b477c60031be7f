// Package admin is what operators do to a tenant: they add it, register
// applications, set policies and invite users. The command line calls it, and so
// will the operators' pages and the REST API, so that all of them check the same.
// Acts on one user or one authenticator are in the packages of these subjects,
// directory and authenticator; what operators are told is in package report.
//
// An act and its event are one transaction. An act that is refused changes nothing,
// and its error says all that is wrong, and where.
//
// What an act would do to people is a preview. It is made from a snapshot of the
// database and carries the versions of the documents that it was made from; the act
// refuses other versions. So an operator gets what was shown, and no transaction that
// writes reads every user or waits for a person.
package admin

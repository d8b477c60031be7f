// Package admin is what an operator does to a tenant: makes it, says what it
// wants, and lets applications in. The command line does it, and so will the
// operators' pages, with the same checks.
//
// A change and its event are one transaction. What is refused is refused whole,
// with all that is wrong and where.
package admin

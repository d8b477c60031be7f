// Package saml speaks SAML 2.0 to applications, as their identity provider: it
// takes requests to log somebody in by the Redirect and POST bindings, and
// answers by POST with a signed assertion in a signed response, or with the
// status that says why there is none.
//
// Whatever arrives is a stranger's until it is proved otherwise, and XML has
// more ways to say one thing than any two programs agree on. So a message is
// first held to a plain subset of XML (wellFormed): UTF-8, no DTD, no entity,
// no comment, no processing instruction, nothing twice, nothing deep. Only then
// is it parsed. A signature is checked by a narrow reading of XML Signature
// (verifyEnveloped): one signature, in the one place the schema gives it, of the
// whole document, by the algorithms everybody uses today. What is believed
// afterwards is read from the very octets whose digest was compared, never from
// the document they came in, so there is nothing for a wrapped or moved element
// to gain. The keys are those of the application's metadata; what a message
// says about keys is not looked at, and a signature that cannot be checked is
// as bad as a wrong one.
//
// Keys are trusted, not certificates: metadata is the envelope, and its dates
// and issuers decide nothing. Messages go where the metadata says and nowhere
// else, compared as strings.
//
// github.com/crewjam/saml lends the reading of metadata, the names of the
// protocol and its lenient times; what it does as an identity provider is not
// used (docs/decisions/0006). Canonical form and our own signatures are
// github.com/russellhaering/goxmldsig's.
//
// Errors go to the application as a SAML status once we know that it asked
// (the application is registered, its signature good, the address its own);
// before that, to a page with an identifier that the log has too (SAML-7).
package saml

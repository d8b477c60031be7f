// Package saml is the SAML 2.0 identity provider: it accepts authentication requests by the Redirect and
// POST bindings, and answers by POST with a signed assertion in a signed response, or with the status
// that says why there is no assertion.
//
// Messages are not trusted until they are verified, and different XML parsers read the same document
// differently. A message must therefore first conform to a simple subset of XML (package strictxml):
// UTF-8, no DTD, no entities, no comments, no processing instructions, no duplicate attributes, limited
// depth. Only then is it parsed. A signature is verified by a narrow interpretation of XML Signature
// (verifyEnveloped): one signature, in the place that the schema defines, over the whole document, with
// common algorithms. Afterwards only the octets whose digest was compared are read, never the document
// they came in, so that signature wrapping gains nothing. The keys are those of the application's
// metadata. What a message says about keys is ignored, and a signature that cannot be verified counts as
// a wrong one.
//
// Keys are trusted, not certificates: the certificates in metadata are only containers, and their dates
// and issuers do not matter. Answers are sent only to addresses in the metadata, which are compared as
// strings.
//
// github.com/crewjam/saml provides the metadata parser, the protocol's names and lenient times. Its
// identity provider is not used (docs/decisions/0006). Canonicalisation and this server's signatures use
// github.com/russellhaering/goxmldsig.
//
// Errors are sent to the application as a SAML status once it is known that it made the request (it is
// registered, its signature is right, and the address belongs to it). Before that, they are shown on a
// page with an identifier that is also in the log (SAML-7).
package saml

// Package oidc is the OpenID Connect provider: it accepts authentication requests of applications and answers
// with a code, tokens and claims, or with an error of the protocol.
//
// github.com/zitadel/oidc provides routing, parsing, and the formats of answers. All decisions are made in
// this package. The authorization and logout endpoints are implemented here completely, because they are used
// by browsers: their errors are pages, they use cookies, and a journey takes the place of the library's
// callback, which is not bound to a browser. The endpoints used by programs are the library's server with its
// decisions overridden: who the client is, and whether a code or a token is valid. Each request to them is
// one transaction, which the library's storage interface could not provide.
//
// There is only the code flow (RFC 9700): no implicit or hybrid flow and no password grant. PKCE is S256;
// only applications that keep a secret may do without. Redirect addresses are compared as strings and never
// parsed or normalised. The only exception is the port of a native application's loopback address (RFC 8252,
// section 7.3).
//
// A login creates a grant (store.Grant): the code, bound to application, address, challenge, nonce and
// session, and the family of all tokens that are issued for it. A code is valid for one attempt and one
// minute. If it is presented again, its grant is revoked, because somebody else must have had it (RFC 6749,
// section 4.1.2). A refresh token is valid for one use. If it is presented again, its grant is revoked too.
//
// Access tokens are opaque: random, and looked up by their SHA-256. That costs an insert when issued and an
// indexed read when used, which is less than signing and verifying, and it makes revocation, logout and
// disabling a user effective at the next use. They also cannot be mistaken for ID tokens. They are valid for
// an hour and end with the session they come from, unless the application requested offline_access and its
// operator allows it. Then they can be refreshed, for at most 90 days.
package oidc

// Package oidc speaks OpenID Connect to applications: it takes their requests
// to log somebody in, and gives them a code, tokens and claims when that was
// done, or the protocol's error when not.
//
// github.com/zitadel/oidc routes and reads what programs send us, and lends
// the types and the formats of answers. What decides is ours. The authorization
// and logout endpoints are ours whole: they face a browser, so their errors
// are pages, they know cookies, and a journey takes the place of the library's
// callback, which is bound to no browser. The endpoints that programs call are
// the library's server with its decisions overridden: who the client is, and
// what a code or a token is worth. Those are made in one transaction a call,
// which the library's storage interface could not do.
//
// Only the code flow exists (RFC 9700): no implicit, no hybrid, no password
// grant. PKCE is S256 or nothing, and nothing is for applications that keep a
// secret. Redirect addresses are compared as strings, never parsed, matched or
// normalised; the one exception is the port of a native application's loopback
// address (RFC 8252, section 7.3).
//
// A login becomes a grant (store.Grant): the code, bound to application,
// address, challenge, nonce and session, and the family of all tokens that come
// of it. A code is good for one try and one minute. Shown a second time, it
// ends its grant: one of the two who had it is a thief (RFC 6749, section
// 4.1.2). A refresh token is good for one use; shown again, it ends its grant
// likewise.
//
// Access tokens are opaque: random, looked up by their SHA-256 whenever they
// are shown. That costs one insert when given and one indexed read when used,
// less than a signature and its verification, and it makes revocation, logout
// and a disabled user count at the very next use. It also keeps them from being
// mistaken for ID tokens. They live an hour, and end with the session they came
// from unless the application asked for offline_access and its operator allows
// it; then they may be refreshed, for ninety days at most.
package oidc

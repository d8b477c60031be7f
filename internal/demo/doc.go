// Package demo runs Latchkey with everything that a sign-in needs, in one
// process on one machine, so that somebody who has just cloned the project can
// try all of it in a browser: two applications, a mail server whose mails can
// be read, users with passwords, and a page that says what to try.
//
// Nothing in it is a mock. The server is that of "latchkey serve", with a
// configuration in a folder of its own. The applications are a SAML service
// provider (crewjam/saml) and an OpenID Connect relying party (zitadel/oidc),
// which fetch Latchkey's metadata and discovery document by HTTP. Mails are
// sent by SMTP. So what works here works elsewhere, and browser tests of the
// demo are tests of the product.
//
// Its first page shows all passwords, and its mailbox all mails. So it listens
// only on loopback addresses, and answers only requests for its own host name:
// a page on the web whose name resolves to 127.0.0.1 must not be able to read
// the mails (DNS rebinding).
//
// The folder keeps the state of a demo from one run to the next. It keeps the
// address too: applications, issuer and web authenticators are bound to it.
package demo

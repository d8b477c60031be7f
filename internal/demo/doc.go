// Package demo is Latchkey with everything around it that a login needs, in one
// process on one machine, so that somebody who has just cloned the project can
// go the whole way in a browser: two applications to sign in to, a mail server
// whose mails can be read, people with passwords, and a page that says what to
// try.
//
// Nothing in it is a mock. The server is the one that serves, started with a
// configuration in a folder of its own. The applications are a SAML service
// provider (crewjam/saml) and an OpenID Connect relying party (zitadel/oidc) as
// anybody would build them; they know of Latchkey what its metadata and its
// discovery document say, and ask for it by HTTP. The mails arrive by SMTP. So
// what works here works elsewhere, and the tests that drive a browser against
// the demo are tests of the real thing.
//
// It gives away every password on its first page, and shows anybody's mail. So
// it listens on this machine alone and refuses to be told otherwise, and
// answers no page under another name than its own: a page on the web whose name
// leads to 127.0.0.1 must not read the mails (DNS rebinding).
//
// What happens in a demo stays in its folder from one run to the next. A folder
// keeps its address too: applications, issuer and web authenticators are bound
// to it.
package demo

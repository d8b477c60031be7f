// Package e2e tests the whole product in a real browser, as a person uses it: the
// real binary, started as its demo, real applications of both protocols, the mail
// that was really sent, and the web authenticator in a second browser that shares
// nothing with the first, as a phone would.
//
// It holds tests only. They know addresses, form fields and what a page is
// called, and nothing of what is behind them; what they show is that the parts
// meet. What single parts must refuse is tested beside those parts.
//
// Three things are watched on every page without being asked for: a breach of
// the content security policy, an uncaught exception in a script, and an answer
// of 500 or more fail the test that ran into them.
//
// Besides the demo's applications there are relying parties on libraries of others
// (folder clients): openid-client, node-saml and pysaml2, with a server that an
// operator set up. xmlsec1 and the schemas of SAML judge what it says to them.
//
// # Where things are
//
// A program (program_test.go) is Latchkey in a process; a Demo and a Server are the
// two kinds of it, and a faultServer is a Server that is killed under load. A Browser
// (browser_test.go) is one person's, in a browser process that tests share. A Phone
// is the web authenticator in one, and a Flow is a sign-in from beginning to end. An
// appServer has only what the web authenticator needs.
//
// axe-core looks at each state of a page once (inspect_test.go); in other languages,
// and on the way through a sign-in, nothing may be wider than a narrow window and no
// text may be missing.
//
// # What they need
//
// Chromium, axe-core and the clients, which `make test` fetches. Without them the
// tests skip and say so; in CI that is an error. SHOTS=folder keeps a picture of each
// page that was inspected. TEST_RACE has the flags of the race detector, with which
// the servers are built whose requests come at the same time: all but the demo,
// which serves one person here.
package e2e

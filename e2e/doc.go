// Package e2e walks through the whole house in a real browser, as a person
// does: the real binary, started as its demo, real applications of both
// protocols, the mail that was really sent, and the web authenticator in a
// second browser that shares nothing with the first, as a phone would.
//
// It holds tests only. They know addresses, form fields and what a page is
// called, and nothing of what is behind them; what they show is that the parts
// meet. What single parts must refuse is tested beside those parts.
//
// Three things are watched on every page without being asked for: a breach of
// the content security policy, an uncaught exception in a script, and an answer
// of 500 or more fail the test that ran into them.
//
// Besides the demo's applications there are strangers: openid-client, node-saml
// and pysaml2 as relying parties of a server that an operator set up, and
// xmlsec1 and the schemas of SAML as judges of what it says to them.
//
// The tests need chromium, axe-core and the strangers, which `make test` fetches.
// Without them they skip and say so; in CI that is an error. SHOTS=folder keeps
// a picture of each page that was inspected. TEST_RACE has the flags of the race
// detector, with which the servers are built whose requests come at the same time:
// all but the demo, which serves one person here.
package e2e

// Package idp is the browser's face of a journey: the pages people log in
// through, whatever the protocol of the application that sent them.
//
// A protocol package parses and checks a request, says in a Request what login
// it wants, and calls Accept: the request is stored for a minute, bound to
// nobody, and the browser is sent on by a 303. The GET that follows uses the
// request up and binds a journey to the browser's cookie. This detour is what
// lets SameSite=Lax cookies work: they are not sent with another site's POST,
// but they are with the GET after it.
//
// When the journey has passed all it requires, its last transaction asks the
// protocol to Grant, which writes what the protocol must remember; the answer
// itself is sent after the commit. What a login is refused for goes back the
// same way, as that protocol's own error. No protocol package decides who may
// log in, and this package knows nothing of SAML or OpenID Connect.
package idp

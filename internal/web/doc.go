// Package web is what every HTTP face needs: handlers that return errors, pages
// and their headers, cookies, the address of the client, the tenant of a
// request, and limits on everything that a client can send.
//
// The base address is fixed in the configuration and never taken from a
// request: whoever can choose the Host header of a request must not be able to
// choose the links in mails, the issuer or the entityID (T-LOG-22).
//
// All cookies are read and written by [Sessions], which signs each together
// with its name. The browser cookie identifies the browser: it grants nothing
// and is not rotated; failures are counted, and the method used last is
// remembered, for the browser it identifies. Each journey is bound to its
// browser by a cookie of its own. The session cookie is the secret of a
// session, and is new at each finished login. A further cookie is the secret of
// a remembered device. Their names contain the tenant's, because a __Host-
// cookie has the path "/". Only the cookie of the picked language is for all
// tenants.
package web

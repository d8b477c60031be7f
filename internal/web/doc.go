// Package web is what every HTTP face needs: handlers that return errors, the
// pages and their headers, the cookies, where a request comes from, which
// tenant it is for, and bounds on everything a stranger can send.
//
// The base address is fixed in the configuration and never taken from a
// request: whoever may choose the Host header of a request must not choose the
// links in our mails, the issuer or the entityID (T-LOG-22).
//
// Every cookie is carried by one [Sessions], signed under its own name. The
// browser cookie stands for the browser: it grants nothing and is not rotated; wrong
// passwords and the method used last are counted and kept by it. Each journey is
// bound to its browser by a cookie of its own. The session cookie is the secret of
// a session and is new at each finished login. A further one is that of a
// remembered device. Their names carry the tenant, because a __Host- cookie has
// the path "/". The picked language alone is one for all tenants.
package web

// Package appapi is what authenticator apps call, as docs/protocol-authenticator.md has
// it, and the web authenticator's own pages.
//
// Every call is signed with the key that the app made for itself when it activated.
// Nothing but that signature proves who calls, so the checks of signature.go come
// before everything else, and what a call changes happens in one transaction with the
// use of its jti.
//
// A push request is open until one answer ends it. This package checks the answer,
// package authenticator the passcode in it, and package push ends the request, all in
// one transaction.
package appapi

// Package server puts everything together: it builds each part, hands it what it
// needs, and mounts all faces on one address.
//
// The pages stand inside web.Site.SameOrigin, which refuses writes another site
// had a browser make. The protocols' endpoints and the authenticator apps' API
// stand outside it: the first are cross-site by design and only store a request,
// the second are signed. Everything stands inside the same headers, time-outs
// and bounds.
//
// A server starts without looking at more than it must, and stops in order: it
// takes no new requests, ends the streams, whose readers come again elsewhere,
// and lets the others finish.
package server

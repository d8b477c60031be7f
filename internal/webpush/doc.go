// Package webpush implements the application server's side of Web Push, except for
// sending: it encrypts a message so that only the subscribed browser can read it
// (RFC 8291, with the aes128gcm encoding of RFC 8188), makes the token that
// identifies the sender to a push service (VAPID, RFC 8292), and checks the
// endpoint of a subscription.
//
// A subscription comes from a browser, that is from anybody who has an
// authenticator's key. This server later sends requests to its endpoint. The
// endpoint is therefore parsed strictly and must belong to a known push service.
// Otherwise an attacker could make this server send requests to a victim (QLT-5).
// The endpoint is also a capability: whoever knows it can send notifications to
// that browser, given a token signed by this server's key. It is therefore never
// printed; types that contain one only print its host.
//
// docs/decisions/0015 says why the Go library of the same name is not used.
package webpush

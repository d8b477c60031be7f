// Package webpush is what Web Push asks of an application server, without the
// sending: a message encrypted so that only the subscribed browser reads it
// (RFC 8291, over RFC 8188's aes128gcm), the token by which a push service
// knows who sends (VAPID, RFC 8292), and which addresses a subscription may
// name at all.
//
// A subscription comes from a browser, that is, from whoever holds an
// authenticator's key. Its endpoint is an address that we will call, so it is
// taken apart as strictly as we can, and must be a push service we know: a
// request that a stranger makes us send is an attack on somebody (QLT-5). The
// endpoint is also a capability: who knows it can ring that browser, if our key
// signs. It is therefore never printed; types that hold one say only the host.
//
// The library of that name for Go is not used; docs/decisions/0015 says why.
package webpush

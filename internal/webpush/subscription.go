package webpush

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// A Subscription is a browser's subscription to push messages: where to send them,
// and the keys for encrypting them.
type Subscription struct {
	Endpoint string // a capability: whoever knows it may try to send
	P256DH   []byte // the browser's public key, an uncompressed point of P-256
	Auth     []byte // authentication secret of 16 bytes, shared by browser and sender
}

// maxEndpoint is the maximum number of bytes of an endpoint. Endpoints in practice
// have up to about 600.
const maxEndpoint = 2048

const authSize = 16

// ErrEndpoint says that an endpoint does not belong to an allowed push service.
var ErrEndpoint = errors.New("webpush: no push service of ours")

// strictBase64 decodes base64url without padding and requires unused bits to be
// zero.
var strictBase64 = base64.RawURLEncoding.Strict()

// Parse reads the values of a browser's PushSubscription. The keys are in base64url.
// The error is ErrEndpoint if services does not contain the endpoint, and another
// error for anything else that is wrong.
func Parse(endpoint, p256dh, auth string, services Services) (Subscription, error) {
	s := Subscription{Endpoint: endpoint}
	if _, err := services.Origin(endpoint); err != nil {
		return s, err
	}
	var err error
	if s.P256DH, err = strictBase64.DecodeString(p256dh); err != nil {
		return s, fmt.Errorf("webpush: p256dh: %w", err)
	}
	// A point that is not on the curve would reveal information about the private
	// key it is combined with (invalid curve attack).
	if _, err := ecdh.P256().NewPublicKey(s.P256DH); err != nil {
		return s, fmt.Errorf("webpush: p256dh: %w", err)
	}
	if s.Auth, err = strictBase64.DecodeString(auth); err != nil {
		return s, fmt.Errorf("webpush: auth: %w", err)
	}
	if len(s.Auth) != authSize {
		return s, fmt.Errorf("webpush: auth has %d bytes, not %d", len(s.Auth), authSize)
	}
	return s, nil
}

// Host returns the host of the push service, the only part of the endpoint that may be shown.
func (s Subscription) Host() string {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

func (s Subscription) String() string       { return "[subscription at " + s.Host() + "]" }
func (s Subscription) GoString() string     { return s.String() }
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Equal reports whether two subscriptions are equal.
func (s Subscription) Equal(o Subscription) bool {
	return s.Endpoint == o.Endpoint && bytes.Equal(s.P256DH, o.P256DH) && bytes.Equal(s.Auth, o.Auth)
}

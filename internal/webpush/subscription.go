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

// A Subscription is where a browser can be rung, and what for it is encrypted
// with.
type Subscription struct {
	Endpoint string // a capability: who knows it may try to ring
	P256DH   []byte // the browser's public key, an uncompressed point of P-256
	Auth     []byte // a secret of 16 bytes that browser and sender share
}

// maxEndpoint is the most bytes of an endpoint. Those in the wild have up to
// some six hundred.
const maxEndpoint = 2048

const authSize = 16

// ErrEndpoint says that an endpoint is none that we would call.
var ErrEndpoint = errors.New("webpush: no push service of ours")

// strict decodes base64url without padding, and with no bits that stand for
// nothing.
var strict = base64.RawURLEncoding.Strict()

// Parse reads a subscription as a browser's PushSubscription has it, the keys
// in base64url. An endpoint that services do not know is an ErrEndpoint;
// anything else that is wrong is another error.
func Parse(endpoint, p256dh, auth string, services Services) (Subscription, error) {
	s := Subscription{Endpoint: endpoint}
	if _, err := services.Origin(endpoint); err != nil {
		return s, err
	}
	var err error
	if s.P256DH, err = strict.DecodeString(p256dh); err != nil {
		return s, fmt.Errorf("webpush: p256dh: %w", err)
	}
	// A point off the curve would tell whoever chose it something of the key it
	// is combined with.
	if _, err := ecdh.P256().NewPublicKey(s.P256DH); err != nil {
		return s, fmt.Errorf("webpush: p256dh: %w", err)
	}
	if s.Auth, err = strict.DecodeString(auth); err != nil {
		return s, fmt.Errorf("webpush: auth: %w", err)
	}
	if len(s.Auth) != authSize {
		return s, fmt.Errorf("webpush: auth has %d bytes, not %d", len(s.Auth), authSize)
	}
	return s, nil
}

// Host is the push service's, all of the endpoint that may be told.
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

// Equal reports whether two subscriptions are one.
func (s Subscription) Equal(o Subscription) bool {
	return s.Endpoint == o.Endpoint && bytes.Equal(s.P256DH, o.P256DH) && bytes.Equal(s.Auth, o.Auth)
}

package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Key is the installation's VAPID key, which identifies it to push services (RFC
// 8292). Browsers bind their subscriptions to it: with another key, existing
// subscriptions stop working.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey returns a new random key.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("webpush: %w", err)
	}
	return Key{private}, nil
}

// ParseKey reads the result of Secret.
func ParseKey(secret []byte) (Key, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		return Key{}, fmt.Errorf("webpush: %w", err)
	}
	return Key{private}, nil
}

// Secret returns the private scalar of 32 bytes.
func (k Key) Secret() ([]byte, error) { return k.private.Bytes() }

// Public returns the public key as an uncompressed point of 65 bytes, the value of
// applicationServerKey in a browser.
func (k Key) Public() ([]byte, error) { return k.private.PublicKey.Bytes() }

func (k Key) String() string       { return "[secret]" }
func (k Key) GoString() string     { return "[secret]" }
func (k Key) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MaxTokenLifetime is the maximum lifetime of a token (RFC 8292, section 2).
const MaxTokenLifetime = 24 * time.Hour

// Authorization returns the Authorization header for a push service with this
// origin, such as https://fcm.googleapis.com. It identifies the sender. contact is
// a mailto: or https: address for the operators of the push service. The header
// may be used for any number of messages until it expires.
func (k Key) Authorization(origin, contact string, until time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		Subject  string `json:"sub"`
	}{origin, until.Unix(), contact})
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	public, err := k.Public()
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	return "vapid t=" + token + ", k=" + encodeBase64(public), nil
}

func encodeBase64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

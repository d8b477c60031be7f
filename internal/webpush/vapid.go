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

// A Key is the installation's, by which push services know it (VAPID, RFC
// 8292). Browsers bind a subscription to it: with another one, all are dead.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes a key.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("webpush: %w", err)
	}
	return Key{private}, nil
}

// ParseKey reads what Secret returned.
func ParseKey(secret []byte) (Key, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		return Key{}, fmt.Errorf("webpush: %w", err)
	}
	return Key{private}, nil
}

// Secret is the private scalar, 32 bytes.
func (k Key) Secret() ([]byte, error) { return k.private.Bytes() }

// Public is the public key as an uncompressed point of 65 bytes, what a browser
// wants as applicationServerKey.
func (k Key) Public() ([]byte, error) { return k.private.PublicKey.Bytes() }

func (k Key) String() string       { return "[secret]" }
func (k Key) GoString() string     { return "[secret]" }
func (k Key) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MaxTokenLife is the longest that a token may be good for (RFC 8292, section 2).
const MaxTokenLife = 24 * time.Hour

// Authorization is the header by which a push service of an origin, such as
// https://fcm.googleapis.com, knows who sends and whom to ask: contact is a
// mailto: or an https: address. It is good for any number of messages until its
// time.
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
	return "vapid t=" + token + ", k=" + text(public), nil
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

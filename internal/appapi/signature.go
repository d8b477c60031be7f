package appapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses members that stand twice, and tells Alg from alg
)

// SignatureHeader carries the signature of every call.
const SignatureHeader = "Latchkey-Signature"

// Values of the protected header. alg is pinned, not read: "none" and HS256,
// keyed with the public key, are how JWS verifiers are fooled (RFC 8725,
// sections 2.1 and 3.1). typ keeps a JWS made for something else from meaning
// anything here (section 3.11).
const signatureType = "latchkey-app+jwt"

var signatureAlgorithms = []jose.SignatureAlgorithm{jose.ES256}

// maxSignature is the most bytes the header may have.
const maxSignature = 4 << 10

// strict64 takes only the one encoding a value has, so that the same key cannot
// come with two thumbprints.
var strict64 = base64.RawURLEncoding.Strict()

// claims are the payload of a signature: what the call is.
type claims struct {
	Type         string   `json:"typ"`
	Subject      string   `json:"sub"`
	Method       string   `json:"htm"`
	Address      string   `json:"htu"`
	BodyHash     string   `json:"bsh"`
	At           int64    `json:"iat"`
	ID           string   `json:"jti"`
	Version      string   `json:"ver"`
	Capabilities []string `json:"cap"`
}

// An envelope is a signature as it came: parsed, not yet verified.
type envelope struct {
	key    *publicKey // with activate alone
	kid    string     // with every other call
	claims claims
	jws    *jose.JSONWebSignature
}

// parseEnvelope reads the header's value: a JWS in compact serialization (RFC
// 7515, section 7.1). It says nothing about who made it.
//
// The library reads it, and takes what this protocol does not: base64 with bits set
// that stand for nothing, b64 (RFC 7797), which changes what was signed, with crit
// or without, and jwk and kid together.
func parseEnvelope(value string) (envelope, error) {
	var e envelope
	if len(value) > maxSignature {
		return e, errors.New("signature: too long")
	}
	var err error
	if e.jws, err = jose.ParseSignedCompact(value, signatureAlgorithms); err != nil {
		return e, fmt.Errorf("signature: %w", err)
	}
	var parts [3][]byte // as many as ParseSignedCompact takes
	for i, encoded := range strings.Split(value, ".") {
		if parts[i], err = strict64.DecodeString(encoded); err != nil {
			return e, fmt.Errorf("signature: part %d: %w", i, err)
		}
	}
	var header struct {
		Type      string           `json:"typ"`
		KeyID     *string          `json:"kid"`
		Key       *json.RawMessage `json:"jwk"`
		Critical  *json.RawMessage `json:"crit"`
		Unencoded *json.RawMessage `json:"b64"`
	}
	if err := object(parts[0], &header); err != nil {
		return e, fmt.Errorf("signature: header: %w", err)
	}
	switch {
	case header.Type != signatureType:
		return e, fmt.Errorf("signature: typ %q", header.Type)
	case header.Critical != nil || header.Unencoded != nil:
		return e, errors.New("signature: crit or b64, of which we understand nothing")
	case (header.KeyID == nil) == (header.Key == nil):
		return e, errors.New("signature: one of jwk and kid is needed")
	case header.KeyID != nil:
		e.kid = *header.KeyID
	default:
		if e.key, err = parseKey(*header.Key); err != nil {
			return e, err
		}
	}
	if err := object(parts[1], &e.claims); err != nil {
		return e, fmt.Errorf("signature: payload: %w", err)
	}
	return e, e.claims.wellFormed()
}

// object decodes one JSON object, and nothing after it.
func object(data []byte, into any) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimLeft(string(data), " \t\r\n"), "{") {
		return errors.New("not an object")
	}
	return nil
}

// wellFormed reports what of the claims cannot be, whoever signed them.
func (c claims) wellFormed() error {
	if id, err := strict64.DecodeString(c.ID); err != nil || len(id) != 16 {
		return fmt.Errorf("signature: jti %q is not 128 bits", c.ID)
	}
	name, number, _ := strings.Cut(c.Version, "/")
	if len(c.Version) > 64 || !only(name, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
		!only(number, "0123456789.") || strings.Count(number, ".") != 2 {
		return fmt.Errorf("signature: ver %q", c.Version)
	}
	if len(c.Capabilities) > 32 {
		return fmt.Errorf("signature: %d capabilities", len(c.Capabilities))
	}
	for _, capability := range c.Capabilities {
		if len(capability) > 64 || !only(capability, "abcdefghijklmnopqrstuvwxyz0123456789-:") {
			return fmt.Errorf("signature: capability %q", capability)
		}
	}
	return nil
}

// only reports whether s is made of letters, and not empty.
func only(s, letters string) bool { return s != "" && strings.Trim(s, letters) == "" }

// verify reports whether key made the signature (RFC 7518, section 3.4).
func (e envelope) verify(key *publicKey) bool {
	_, err := e.jws.Verify(key.ecdsa)
	return err == nil
}

// A publicKey is an authenticator's P-256 key.
type publicKey struct {
	ecdsa *ecdsa.PublicKey
	jwk   []byte // RFC 7638's canonical form: required members alone, in order
}

// parseKey reads a JWK (RFC 7518, section 6.2): a point of P-256, and no
// private part, which nobody has any business sending. A coordinate written in
// another way than its own bytes are is refused, as everywhere.
func parseKey(data []byte) (*publicKey, error) {
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("signature: jwk: %w", err)
	}
	key, ok := k.Key.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("signature: jwk is a %T, or of another curve", k.Key)
	}
	point, err := key.Bytes() // 4, x, y (SEC 1, section 2.3.3)
	if err != nil {
		return nil, fmt.Errorf("signature: jwk: %w", err)
	}
	x, y := strict64.EncodeToString(point[1:33]), strict64.EncodeToString(point[33:])
	var sent struct {
		X string `json:"x"`
		Y string `json:"y"`
	}
	if err := object(data, &sent); err != nil {
		return nil, fmt.Errorf("signature: jwk: %w", err)
	}
	if sent.X != x || sent.Y != y {
		return nil, errors.New("signature: jwk: a coordinate is not written as its 32 bytes are")
	}
	return &publicKey{ecdsa: key, jwk: fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, x, y)}, nil
}

// thumbprint is the key's name (RFC 7638).
func (k *publicKey) thumbprint() string {
	sum := sha256.Sum256(k.jwk)
	return strict64.EncodeToString(sum[:])
}

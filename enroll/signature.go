package enroll

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json" // refuses members that stand twice, and tells Alg from alg
)

// SignatureHeader carries the signature of every call.
const SignatureHeader = "Latchkey-Signature"

// Values of the protected header. alg is pinned, not read: "none" and HS256,
// keyed with the public key, are how JWS verifiers are fooled (RFC 8725,
// sections 2.1 and 3.1). typ keeps a JWS made for something else from meaning
// anything here (section 3.11).
const (
	algorithm     = "ES256"
	signatureType = "latchkey-app+jwt"
)

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
	key       *publicKey // with activate alone
	kid       string     // with every other call
	claims    claims
	signed    string // what the signature is of
	signature []byte // r and s
}

// parseEnvelope reads the header's value: a JWS in compact serialization (RFC
// 7515, section 7.1). It says nothing about who made it.
func parseEnvelope(value string) (envelope, error) {
	var e envelope
	if len(value) > maxSignature {
		return e, errors.New("signature: too long")
	}
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return e, fmt.Errorf("signature: %d parts, want 3", len(parts))
	}
	var header struct {
		Algorithm string           `json:"alg"`
		Type      string           `json:"typ"`
		KeyID     *string          `json:"kid"`
		Key       *json.RawMessage `json:"jwk"`
		Critical  *json.RawMessage `json:"crit"`
	}
	if err := part(parts[0], &header); err != nil {
		return e, fmt.Errorf("signature: header: %w", err)
	}
	switch {
	case header.Algorithm != algorithm:
		return e, fmt.Errorf("signature: alg %q", header.Algorithm)
	case header.Type != signatureType:
		return e, fmt.Errorf("signature: typ %q", header.Type)
	case header.Critical != nil:
		return e, errors.New("signature: crit, of which we understand nothing")
	case (header.KeyID == nil) == (header.Key == nil):
		return e, errors.New("signature: one of jwk and kid is needed")
	case header.KeyID != nil:
		e.kid = *header.KeyID
	default:
		var err error
		if e.key, err = parseKey(*header.Key); err != nil {
			return e, err
		}
	}
	if err := part(parts[1], &e.claims); err != nil {
		return e, fmt.Errorf("signature: payload: %w", err)
	}
	signature, err := strict64.DecodeString(parts[2])
	if err != nil {
		return e, fmt.Errorf("signature: %w", err)
	}
	e.signature, e.signed = signature, parts[0]+"."+parts[1]
	return e, e.claims.wellFormed()
}

// part decodes one of the first two parts of a JWS.
func part(encoded string, into any) error {
	data, err := strict64.DecodeString(encoded)
	if err != nil {
		return err
	}
	return object(data, into)
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
	if len(e.signature) != 64 {
		return false
	}
	digest := sha256.Sum256([]byte(e.signed))
	r, s := new(big.Int).SetBytes(e.signature[:32]), new(big.Int).SetBytes(e.signature[32:])
	return ecdsa.Verify(key.ecdsa, digest[:], r, s)
}

// A publicKey is an authenticator's P-256 key.
type publicKey struct {
	ecdsa *ecdsa.PublicKey
	jwk   []byte // RFC 7638's canonical form: required members alone, in order
}

// parseKey reads a JWK (RFC 7518, section 6.2): a point of P-256, and no
// private part, which nobody has any business sending.
func parseKey(data []byte) (*publicKey, error) {
	var k struct {
		Type    string           `json:"kty"`
		Curve   string           `json:"crv"`
		X       string           `json:"x"`
		Y       string           `json:"y"`
		Private *json.RawMessage `json:"d"`
	}
	if err := object(data, &k); err != nil {
		return nil, fmt.Errorf("signature: jwk: %w", err)
	}
	if k.Type != "EC" || k.Curve != "P-256" || k.Private != nil {
		return nil, fmt.Errorf("signature: jwk of type %q, curve %q, or with a private part", k.Type, k.Curve)
	}
	point := []byte{4} // uncompressed: x and y follow (SEC 1, section 2.3.3)
	for _, coordinate := range []string{k.X, k.Y} {
		b, err := strict64.DecodeString(coordinate)
		if err != nil || len(b) != 32 {
			return nil, errors.New("signature: jwk: a coordinate is not 32 bytes")
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("signature: jwk: %w", err)
	}
	return &publicKey{ecdsa: key, jwk: fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, k.X, k.Y)}, nil
}

// thumbprint is the key's name (RFC 7638).
func (k *publicKey) thumbprint() string {
	sum := sha256.Sum256(k.jwk)
	return strict64.EncodeToString(sum[:])
}

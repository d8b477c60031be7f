package privacyidea

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeyBits is the length of all keys of the protocol, the app's and the server's.
const KeyBits = 4096

// exponent is the public exponent in general use. Smaller exponents have a history
// of forged signatures. Larger ones cost the server time.
const exponent = 65537

// maxKeyText exceeds the length of the text of a key of KeyBits, 736 characters.
const maxKeyText = 1024

// ParseKey reads the public key that an app registers: DER SubjectPublicKeyInfo
// (RFC 5280, section 4.1.2.7) in Base64 without headers. The Base64 may use the
// URL-safe alphabet, and a plus may have become a blank in a form. The key must be
// RSA of exactly [KeyBits] with the usual exponent.
func ParseKey(text string) (*rsa.PublicKey, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("privacyidea: a key of %d characters", len(text))
	}
	text = strings.NewReplacer("-", "+", "_", "/", " ", "+", "\r", "", "\n", "").Replace(text)
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("privacyidea: key: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("privacyidea: key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	switch {
	case !ok:
		return nil, fmt.Errorf("privacyidea: a key of type %T", parsed)
	case key.N.BitLen() != KeyBits || key.E != exponent:
		return nil, fmt.Errorf("privacyidea: a key of %d bits with exponent %d", key.N.BitLen(), key.E)
	}
	return key, nil
}

// KeyText returns an app's key in a single form, however it was sent: as ParseKey
// reads it, in standard Base64.
func KeyText(key *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil { // impossible for an RSA key
		panic(fmt.Sprintf("privacyidea: public key: %v", err))
	}
	return base64.StdEncoding.EncodeToString(der)
}

// ServerKeyText returns a server's public key as the app expects it: DER
// RSAPublicKey (RFC 8017, appendix A.1.1), not SubjectPublicKeyInfo, in Base64.
func ServerKeyText(key *rsa.PublicKey) string {
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(key))
}

// Sign signs a text and returns the signature in Base32.
func Sign(key *rsa.PrivateKey, text string) (string, error) {
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("privacyidea: sign: %w", err)
	}
	return base32.StdEncoding.EncodeToString(signature), nil
}

// Verify returns an error unless signature is a signature by key over text.
func Verify(key *rsa.PublicKey, text, signature string) error {
	if len(signature) > base32.StdEncoding.EncodedLen(KeyBits/8) {
		return errors.New("privacyidea: a signature too long")
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(signature, "="))
	if err != nil {
		return fmt.Errorf("privacyidea: signature: %w", err)
	}
	digest := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], raw); err != nil {
		return fmt.Errorf("privacyidea: signature: %w", err)
	}
	return nil
}

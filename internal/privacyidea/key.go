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

// Bits is the length of every key of the protocol, the app's and the server's.
const Bits = 4096

// exponent is that of every key anybody makes today. Smaller ones have a
// history of forged signatures, larger ones cost the server time.
const exponent = 65537

// maxKeyText is longer than the text of any key of Bits: 736 characters.
const maxKeyText = 1024

// ParseKey reads the public key an app registers: DER SubjectPublicKeyInfo
// (RFC 5280, section 4.1.2.7) in Base64 without headers. Base64 may be the one
// for addresses, and a plus may have become a blank on its way through a form.
// The key must be RSA of exactly [Bits] with the usual exponent.
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
	case key.N.BitLen() != Bits || key.E != exponent:
		return nil, fmt.Errorf("privacyidea: a key of %d bits with exponent %d", key.N.BitLen(), key.E)
	}
	return key, nil
}

// KeyText is the one text of an app's key, however it was sent: what ParseKey
// reads, in standard Base64.
func KeyText(key *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil { // of an RSA key: cannot be
		panic(fmt.Sprintf("privacyidea: public key: %v", err))
	}
	return base64.StdEncoding.EncodeToString(der)
}

// ServerKeyText is a server's public key as the app wants it: DER RSAPublicKey
// (RFC 8017, appendix A.1.1), not SubjectPublicKeyInfo, in Base64.
func ServerKeyText(key *rsa.PublicKey) string {
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(key))
}

// Sign signs a text of the protocol.
func Sign(key *rsa.PrivateKey, text string) (string, error) {
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("privacyidea: sign: %w", err)
	}
	return base32.StdEncoding.EncodeToString(signature), nil
}

// Verify reports, as an error, whether a signature is not key's over text.
func Verify(key *rsa.PublicKey, text, signature string) error {
	if len(signature) > base32.StdEncoding.EncodedLen(Bits/8) {
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

// Package signingkey makes the keys that tenants sign with, and opens them: an
// RSA key with a certificate for SAML, an ES256 and an RS256 key for OpenID
// Connect, and an EdDSA key once an application wants one: some programs read no set of
// keys in which they do not know each. The private halves are sealed by package store. A key is published as
// soon as it is made, and the newest one of its purpose and algorithm signs.
package signingkey

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Algorithms tenants sign with.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA" // Ed25519 (RFC 8037)
)

// A Key is a tenant's signing key, opened.
type Key struct {
	ID          string
	Algorithm   string
	Signer      crypto.Signer
	Certificate []byte // DER, for SAML
}

// Make gives a new tenant its signing keys: RSA with a certificate for
// SAML, ES256 and RS256 for OpenID Connect.
func Make(ctx context.Context, tx *store.Tx, t identity.Tenant) error {
	for _, k := range []struct {
		purpose   identity.Protocol
		algorithm string
	}{{identity.SAML, RS256}, {identity.OIDC, ES256}, {identity.OIDC, RS256}} {
		if err := makeKey(ctx, tx, t, k.purpose, k.algorithm); err != nil {
			return err
		}
	}
	return nil
}

// Ensure gives a tenant a key for OpenID Connect of an algorithm that [Make] makes none
// of, unless it has one.
func Ensure(ctx context.Context, tx *store.Tx, tenant, algorithm string) error {
	if algorithm != EdDSA {
		return nil
	}
	keys, err := tx.SigningKeys().Active(ctx, tenant, identity.OIDC)
	if err != nil || slices.ContainsFunc(keys, func(k store.SigningKey) bool { return k.Algorithm == algorithm }) {
		return err
	}
	return makeKey(ctx, tx, identity.Tenant{ID: tenant}, identity.OIDC, algorithm)
}

// makeKey makes one key of a tenant.
func makeKey(ctx context.Context, tx *store.Tx, t identity.Tenant, purpose identity.Protocol, algorithm string) error {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return fmt.Errorf("signingkey: make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return fmt.Errorf("signingkey: make key: %w", err)
	}
	key := store.SigningKey{Tenant: t.ID, ID: identity.NewID(identity.KeyID), Purpose: purpose,
		Algorithm: algorithm, Private: der, ActiveFrom: tx.Now()}
	if purpose == identity.SAML {
		if key.Certificate, err = selfSigned(t, signer, tx.Now()); err != nil {
			return err
		}
	}
	if err := tx.SigningKeys().Add(ctx, key); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: t.ID, Kind: audit.KeyMade,
		Data: map[string]string{"key": key.ID, "purpose": string(purpose), "algorithm": algorithm}})
}

// selfSigned wraps a key in a certificate of three years: in SAML it is only
// the envelope keys travel in, trusted because the metadata is.
func selfSigned(t identity.Tenant, signer crypto.Signer, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("signingkey: certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: t.OrganisationName(), Organization: []string{t.OrganisationName()}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(3, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("signingkey: certificate: %w", err)
	}
	return der, nil
}

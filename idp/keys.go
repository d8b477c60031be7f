package idp

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Algorithms tenants sign with.
const (
	RS256 = "RS256"
	ES256 = "ES256"
)

// A Key is a tenant's signing key, opened.
type Key struct {
	ID          string
	Algorithm   string
	Signer      crypto.Signer
	Certificate []byte // DER, for SAML
}

// MakeKeys gives a new tenant its signing keys: RSA with a certificate for
// SAML, ES256 and RS256 for OpenID Connect.
func MakeKeys(ctx context.Context, tx *store.Tx, t identity.Tenant) error {
	for _, k := range []struct {
		purpose   identity.Protocol
		algorithm string
	}{{identity.SAML, RS256}, {identity.OIDC, ES256}, {identity.OIDC, RS256}} {
		var signer crypto.Signer
		var err error
		if k.algorithm == ES256 {
			signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		} else {
			signer, err = rsa.GenerateKey(rand.Reader, 2048)
		}
		if err != nil {
			return fmt.Errorf("idp: make key: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		if err != nil {
			return fmt.Errorf("idp: make key: %w", err)
		}
		key := store.SigningKey{Tenant: t.ID, ID: identity.NewID(identity.KeyID), Purpose: k.purpose,
			Algorithm: k.algorithm, Private: der, ActiveFrom: tx.Now()}
		if k.purpose == identity.SAML {
			if key.Certificate, err = selfSigned(t, signer, tx.Now()); err != nil {
				return err
			}
		}
		if err := tx.AddSigningKey(ctx, key); err != nil {
			return err
		}
		err = tx.Event(ctx, audit.Event{Tenant: t.ID, Kind: audit.KeyMade,
			Data: map[string]string{"key": key.ID, "purpose": string(k.purpose), "algorithm": k.algorithm}})
		if err != nil {
			return err
		}
	}
	return nil
}

// selfSigned wraps a key in a certificate of three years: in SAML it is only
// the envelope keys travel in, trusted because the metadata is.
func selfSigned(t identity.Tenant, signer crypto.Signer, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("idp: certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: t.Slug, Organization: []string{t.OrganisationName()}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(3, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("idp: certificate: %w", err)
	}
	return der, nil
}

// Keys opens tenants' signing keys and remembers them for a minute, so that a
// login neither reads nor unseals one.
type Keys struct {
	DB *store.DB

	mu     sync.Mutex
	opened map[keysOf]openedKeys
}

type keysOf struct {
	tenant  string
	purpose identity.Protocol
}

type openedKeys struct {
	keys []Key
	at   time.Time
}

// All returns a tenant's keys of a purpose that are published, newest first.
func (k *Keys) All(ctx context.Context, tenant string, purpose identity.Protocol) ([]Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := keysOf{tenant, purpose}
	if o, ok := k.opened[of]; ok && k.DB.Now().Sub(o.at) < time.Minute {
		return o.keys, nil
	}
	sealed, err := k.DB.SigningKeys(ctx, tenant, purpose)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, s := range sealed {
		private, err := x509.ParsePKCS8PrivateKey(s.Private)
		if err != nil {
			return nil, fmt.Errorf("idp: key %s: %w", s.ID, err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("idp: key %s cannot sign", s.ID)
		}
		keys = append(keys, Key{ID: s.ID, Algorithm: s.Algorithm, Signer: signer, Certificate: s.Certificate})
	}
	if k.opened == nil {
		k.opened = make(map[keysOf]openedKeys)
	}
	k.opened[of] = openedKeys{keys, k.DB.Now()}
	return keys, nil
}

// Newest returns the key to sign with.
func (k *Keys) Newest(ctx context.Context, tenant string, purpose identity.Protocol, algorithm string) (Key, error) {
	all, err := k.All(ctx, tenant, purpose)
	if err != nil {
		return Key{}, err
	}
	i := slices.IndexFunc(all, func(key Key) bool { return key.Algorithm == algorithm })
	if i < 0 {
		return Key{}, fmt.Errorf("idp: tenant %s has no %s key for %s", tenant, algorithm, purpose)
	}
	return all[i], nil
}

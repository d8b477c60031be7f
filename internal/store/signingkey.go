package store

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A SigningKey signs the messages of a tenant in a protocol.
type SigningKey struct {
	Tenant      string
	ID          string
	Purpose     identity.Protocol // SAML or OIDC
	Algorithm   string            // "RS256", "ES256", "EdDSA"
	Private     []byte            // PKCS #8 DER; sealed in the database
	Certificate []byte            // DER, for SAML
	CreatedAt   time.Time
	ActiveFrom  time.Time
	RetiredAt   time.Time
}

func signingKeyPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "signing_keys", Column: "private_key", Row: id}
}

// SigningKeys reads and writes the keys that a tenant signs with.
type SigningKeys struct {
	SigningKeyReads
	tx *Tx
}

// SigningKeys returns the view; what it writes is part of the transaction.
func (tx *Tx) SigningKeys() SigningKeys { return SigningKeys{tx.Reader.SigningKeys(), tx} }

// SigningKeyReads are the reads of [SigningKeys].
type SigningKeyReads struct{ r Reader }

// SigningKeys returns the view for reading.
func (r Reader) SigningKeys() SigningKeyReads { return SigningKeyReads{r} }

// Active returns the keys of a purpose that are not retired, newest first.
func (v SigningKeyReads) Active(ctx context.Context, tenant string, purpose identity.Protocol) ([]SigningKey, error) {
	all, err := Collect(list(ctx, v.r, "signing keys", func(row scanner) (k SigningKey, err error) {
		return k, row.Scan(&k.Tenant, &k.ID, &k.Purpose, &k.Algorithm, &k.Private, &k.Certificate,
			nullTime{&k.CreatedAt}, nullTime{&k.ActiveFrom}, nullTime{&k.RetiredAt})
	}, `
		SELECT tenant_id, id, purpose, algorithm, private_key, certificate, created_at, active_from, retired_at
		FROM signing_keys WHERE tenant_id = $1 AND purpose = $2 AND retired_at IS NULL
		ORDER BY active_from DESC, id`, tenant, string(purpose)))
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Private, err = v.r.Unseal(ctx, signingKeyPlace(tenant, all[i].ID), all[i].Private)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Add seals a key and stores it.
func (v SigningKeys) Add(ctx context.Context, k SigningKey) error {
	sealed, err := v.tx.Seal(ctx, signingKeyPlace(k.Tenant, k.ID), k.Private)
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "add signing key", `
		INSERT INTO signing_keys (tenant_id, id, purpose, algorithm, private_key, certificate, created_at, active_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		k.Tenant, k.ID, string(k.Purpose), k.Algorithm, sealed, k.Certificate, at(v.tx.now()), at(k.ActiveFrom))
	return err
}

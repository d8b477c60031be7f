package store

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/identity"
)

const applicationColumns = `tenant_id, id, name, protocol, identifier, home, config, created_at, disabled_at`

func scanApplication(row scanner) (a identity.Application, err error) {
	return a, row.Scan(&a.Tenant, &a.ID, &a.Name, &a.Protocol, &a.Identifier, &a.Home, &a.Config,
		moment{&a.CreatedAt}, moment{&a.DisabledAt})
}

// Application returns an application by id.
func (r reader) Application(ctx context.Context, tenant, id string) (identity.Application, error) {
	a, err := scanApplication(r.q.QueryRowContext(ctx, `
		SELECT `+applicationColumns+` FROM applications WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return a, missing("application "+id, err)
	}
	return a, nil
}

// ApplicationByIdentifier returns an application by the name its protocol
// knows it by: a SAML entityID or an OIDC client_id. A disabled one is not
// found.
func (r reader) ApplicationByIdentifier(ctx context.Context, tenant string, p identity.Protocol, identifier string) (identity.Application, error) {
	a, err := scanApplication(r.q.QueryRowContext(ctx, `
		SELECT `+applicationColumns+` FROM applications
		WHERE tenant_id = $1 AND protocol = $2 AND identifier = $3 AND disabled_at IS NULL`, tenant, string(p), identifier))
	if err != nil {
		return a, missing("application by identifier", err)
	}
	return a, nil
}

// Applications yields a tenant's applications by name.
func (r reader) Applications(ctx context.Context, tenant string) iter.Seq2[identity.Application, error] {
	return list(ctx, r, "applications", scanApplication, `
		SELECT `+applicationColumns+` FROM applications WHERE tenant_id = $1 ORDER BY name, id`, tenant)
}

// AddApplication adds an application; a Conflict says that its identifier is
// taken.
func (tx *Tx) AddApplication(ctx context.Context, a identity.Application) error {
	n, err := tx.exec(ctx, "add application", `
		INSERT INTO applications (tenant_id, id, name, protocol, identifier, home, config, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		a.Tenant, a.ID, a.Name, string(a.Protocol), a.Identifier, a.Home, string(a.Config), at(tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("application", a.Identifier)
	}
	return nil
}

// Subject returns the pairwise subject of a user at an application, making
// fresh the first time.
func (tx *Tx) Subject(ctx context.Context, tenant, application, user, fresh string) (string, error) {
	// The first insert wins; whoever comes second reads what it left.
	if _, err := tx.exec(ctx, "subject", `
		INSERT INTO subjects (tenant_id, application_id, user_id, subject, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, tenant, application, user, fresh, at(tx.now())); err != nil {
		return "", err
	}
	var subject string
	err := tx.sql.QueryRowContext(ctx, `
		SELECT subject FROM subjects WHERE tenant_id = $1 AND application_id = $2 AND user_id = $3`,
		tenant, application, user).Scan(&subject)
	if err != nil {
		return "", missing("subject", err)
	}
	return subject, nil
}

// A SigningKey signs what a tenant says in a protocol.
type SigningKey struct {
	Tenant      string
	ID          string
	Purpose     identity.Protocol // SAML or OIDC
	Algorithm   string            // "RS256", "ES256"
	Private     []byte            // PKCS #8 DER; sealed in the database
	Certificate []byte            // DER, for SAML
	CreatedAt   time.Time
	ActiveFrom  time.Time
	RetiredAt   time.Time
}

func signingKeyPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "signing_keys", Column: "private_key", Row: id}
}

// SigningKeys returns the keys of a purpose that are not retired, newest first.
func (r reader) SigningKeys(ctx context.Context, tenant string, purpose identity.Protocol) ([]SigningKey, error) {
	all, err := Collect(list(ctx, r, "signing keys", func(row scanner) (k SigningKey, err error) {
		return k, row.Scan(&k.Tenant, &k.ID, &k.Purpose, &k.Algorithm, &k.Private, &k.Certificate,
			moment{&k.CreatedAt}, moment{&k.ActiveFrom}, moment{&k.RetiredAt})
	}, `
		SELECT tenant_id, id, purpose, algorithm, private_key, certificate, created_at, active_from, retired_at
		FROM signing_keys WHERE tenant_id = $1 AND purpose = $2 AND retired_at IS NULL
		ORDER BY active_from DESC, id`, tenant, string(purpose)))
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Private, err = r.Unseal(ctx, signingKeyPlace(tenant, all[i].ID), all[i].Private)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// AddSigningKey seals and keeps a key.
func (tx *Tx) AddSigningKey(ctx context.Context, k SigningKey) error {
	sealed, err := tx.Seal(ctx, signingKeyPlace(k.Tenant, k.ID), k.Private)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "add signing key", `
		INSERT INTO signing_keys (tenant_id, id, purpose, algorithm, private_key, certificate, created_at, active_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		k.Tenant, k.ID, string(k.Purpose), k.Algorithm, sealed, k.Certificate, at(tx.now()), at(k.ActiveFrom))
	return err
}

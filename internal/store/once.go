package store

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// UseOnce uses up a key of a kind, such as "request" or "jti", and returns a Conflict
// if it was used before. It belongs in the transaction of the effect that it guards:
// both happen, or neither. The key is kept until a time from which on it would be
// refused for its age anyway.
//
// Of any number of transactions on any number of nodes exactly one inserts the row.
// The others wait until it commits and then find the key used.
func (tx *Tx) UseOnce(ctx context.Context, tenant, kind, key string, until time.Time) error {
	n, err := tx.exec(ctx, "use "+kind+" once", `
		INSERT INTO used_once (tenant_id, kind, used_key, until) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, tenant, kind, key, at(until))
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return nil
}

// Sweep deletes rows that have expired and are of no further use, and returns how
// many. It deletes a batch at a time, so that no lock is held for long. It crosses
// tenants: only age decides.
func (tx *Tx) Sweep(ctx context.Context) (int64, error) {
	now := tx.now().Unix()
	var total int64
	for _, q := range []string{
		`DELETE FROM used_once WHERE (tenant_id, kind, used_key) IN
			(SELECT tenant_id, kind, used_key FROM used_once WHERE until < $1 LIMIT 500)`,
		`DELETE FROM rates WHERE (tenant_id, kind, subject) IN
			(SELECT tenant_id, kind, subject FROM rates WHERE until < $1 LIMIT 500)`,
		`DELETE FROM rate_counts WHERE (tenant_id, kind, subject, counted_at) IN
			(SELECT tenant_id, kind, subject, counted_at FROM rate_counts WHERE until < $1 LIMIT 500)`,
		`DELETE FROM requests WHERE (tenant_id, id) IN
			(SELECT tenant_id, id FROM requests WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM challenges WHERE (tenant_id, journey_id) IN
			(SELECT tenant_id, journey_id FROM challenges WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM code_requests WHERE (tenant_id, journey_id) IN
			(SELECT tenant_id, journey_id FROM code_requests WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM mailed_codes WHERE (tenant_id, journey_id) IN
			(SELECT tenant_id, journey_id FROM mailed_codes WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM push_notifications WHERE (tenant_id, push_id, authenticator_id) IN
			(SELECT tenant_id, push_id, authenticator_id FROM push_notifications WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM oidc_tokens WHERE (tenant_id, token_hash) IN
			(SELECT tenant_id, token_hash FROM oidc_tokens WHERE expires_at < $1 LIMIT 500)`,
		`DELETE FROM oidc_grants WHERE (tenant_id, id) IN
			(SELECT tenant_id, id FROM oidc_grants g WHERE expires_at < $1 AND NOT EXISTS
				(SELECT 1 FROM oidc_tokens t WHERE t.tenant_id = g.tenant_id AND t.grant_id = g.id) LIMIT 500)`,
	} {
		n, err := tx.exec(ctx, "sweep", q, now)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// Lease takes or renews the lease of a piece of work that one node at a time does,
// and reports whether holder has it until the given time.
func (tx *Tx) Lease(ctx context.Context, name, holder string, until time.Time) (bool, error) {
	n, err := tx.exec(ctx, "lease "+name, `
		INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until < $4`, name, holder, at(until), at(tx.now()))
	return n == 1, err
}

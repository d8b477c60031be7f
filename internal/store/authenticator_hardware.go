package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Import adds a hardware token that is not assigned to a user yet, with its seed
// sealed. It is inactive until Assign (CRED-14). If the serial is taken, Import
// returns a Conflict.
func (v Authenticators) Import(ctx context.Context, a identity.Authenticator) error {
	sealed, err := v.tx.Seal(ctx, seedPlace(a.Tenant, a.ID), a.Seed)
	if err != nil {
		return err
	}
	n, err := v.tx.exec(ctx, "import authenticator", `
		INSERT INTO authenticators (tenant_id, id, serial, kind, name, seed, digits, step, last_step, drift, algorithm, manufacturer,
			enrolled_at, inactive_at, imported_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13, $14)
		ON CONFLICT (tenant_id, serial) DO NOTHING`,
		a.Tenant, a.ID, a.Serial, string(a.Kind), a.Name, sealed, a.Digits, a.Step, a.LastStep, a.Drift, a.Algorithm, a.Manufacturer,
		at(v.tx.now()), at(a.ExpiresAt))
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf("store: there is a serial %s already", a.Serial)}
	}
	return err
}

// unassigned is the condition that an authenticator a was imported and belongs to
// nobody.
const unassigned = `a.imported_at IS NOT NULL AND a.inactive_at IS NOT NULL AND a.revoked_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM authenticator_users u WHERE u.tenant_id = a.tenant_id AND u.authenticator_id = a.id)`

// Unassigned yields the unassigned hardware tokens of a tenant in the order of
// serials.
func (v AuthenticatorReads) Unassigned(ctx context.Context, tenant string) iter.Seq2[identity.Authenticator, error] {
	return list(ctx, v.r, "unassigned authenticators", v.r.scanAuthenticator, `
		SELECT `+fullScan+authenticatorColumns+` FROM authenticators a WHERE a.tenant_id = $1 AND `+unassigned+` ORDER BY a.serial`, tenant)
}

// Assign assigns an unassigned hardware token to a user, and reports whether it was
// still unassigned: of two operators who assign the same one, one succeeds. The count
// of wrong passcodes is reset, because it was another user's. A lock stays: after a
// restore it says that nobody knows how far the token has counted.
func (v Authenticators) Assign(ctx context.Context, tenant, id, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "assign "+id, `
		UPDATE authenticators AS a SET inactive_at = NULL, suspended_at = NULL, activated_at = $3, enrolled_at = $3, last_used_at = NULL, invalid = 0
		WHERE a.tenant_id = $1 AND a.id = $2 AND `+unassigned, tenant, id, at(v.tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	_, err = v.tx.exec(ctx, "assign "+id, `
		INSERT INTO authenticator_users (tenant_id, authenticator_id, user_id) VALUES ($1, $2, $3)`, tenant, id, user)
	return err == nil, err
}

// Acquire locks the row of an authenticator, so that no other transaction changes its
// users until this one ends.
func (v Authenticators) Acquire(ctx context.Context, tenant, id string) error {
	_, err := v.tx.exec(ctx, "hold "+id, `UPDATE authenticators SET serial = serial WHERE tenant_id = $1 AND id = $2`, tenant, id)
	return err
}

// Share assigns a hardware token that somebody has to another user too, and reports
// whether it did. It does not if the user has the token already, or if it is revoked
// or unassigned.
func (v Authenticators) Share(ctx context.Context, tenant, id, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "share "+id, `
		INSERT INTO authenticator_users (tenant_id, authenticator_id, user_id)
		SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM authenticators a JOIN authenticator_users u
			ON u.tenant_id = a.tenant_id AND u.authenticator_id = a.id
			WHERE a.tenant_id = $1 AND a.id = $2 AND a.imported_at IS NOT NULL AND a.inactive_at IS NULL AND a.revoked_at IS NULL)
		ON CONFLICT DO NOTHING`, tenant, id, user)
	return n == 1, err
}

// Unshare takes a hardware token from one of several users, and reports whether the
// user had it and others still do.
func (v Authenticators) Unshare(ctx context.Context, tenant, id, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "unshare "+id, `
		DELETE FROM authenticator_users WHERE tenant_id = $1 AND authenticator_id = $2 AND user_id = $3
			AND EXISTS (SELECT 1 FROM authenticator_users o WHERE o.tenant_id = $1 AND o.authenticator_id = $2 AND o.user_id <> $3)
			AND EXISTS (SELECT 1 FROM authenticators a WHERE a.tenant_id = $1 AND a.id = $2 AND a.imported_at IS NOT NULL)`, tenant, id, user)
	return n == 1, err
}

// Unassign takes a hardware token from all its users, and reports whether it had any.
// It is then inactive and can be assigned again. Its counter stays, so that none of
// its passcodes works a second time.
func (v Authenticators) Unassign(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "unassign "+id, `
		UPDATE authenticators SET inactive_at = COALESCE(inactive_at, $3)
		WHERE tenant_id = $1 AND id = $2 AND imported_at IS NOT NULL AND revoked_at IS NULL
			AND EXISTS (SELECT 1 FROM authenticator_users u WHERE u.tenant_id = $1 AND u.authenticator_id = $2)`, tenant, id, at(v.tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	_, err = v.tx.exec(ctx, "unassign "+id, `
		DELETE FROM authenticator_users WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id)
	return err == nil, err
}

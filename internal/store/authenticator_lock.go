package store

import (
	"context"
	"iter"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Unlock ends a lock and resets the count. It reports whether there was a lock to
// end. A lock because of wrong PINs stays (SP-16).
func (v Authenticators) Unlock(ctx context.Context, tenant, id string) (bool, error) {
	if _, err := v.removeTemporaryLock(ctx, tenant, id); err != nil {
		return false, err
	}
	n, err := v.tx.exec(ctx, "unlock "+id, `
		UPDATE authenticators SET locked_at = NULL, invalid = 0
		WHERE tenant_id = $1 AND id = $2 AND locked_at IS NOT NULL AND revoked_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM authenticator_pins p WHERE p.tenant_id = $1 AND p.authenticator_id = $2 AND p.locked_at IS NOT NULL)`,
		tenant, id)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = v.tx.exec(ctx, "count PINs of "+id+" from the start", `
		UPDATE server_pins SET failures = 0 WHERE tenant_id = $1 AND authenticator_id = $2 AND failures > 0`, tenant, id)
	return err == nil, err
}

// Lock locks an assigned authenticator until it is unlocked, and reports whether it
// was not locked in this way before. A temporary lock becomes a permanent one.
func (v Authenticators) Lock(ctx context.Context, tenant, id string) (bool, error) {
	passed, err := v.removeTemporaryLock(ctx, tenant, id)
	if err != nil {
		return false, err
	}
	open := ` AND locked_at IS NULL`
	if passed {
		open = ``
	}
	n, err := v.tx.exec(ctx, "lock "+id, `
		UPDATE authenticators SET locked_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+assigned+open, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// removeTemporaryLock makes a temporary lock of an authenticator a permanent one, and
// reports whether there was one.
func (v Authenticators) removeTemporaryLock(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "temporary lock of "+id, `
		DELETE FROM passing_locks WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id)
	return n == 1, err
}

// EndTemporaryLock ends an expired temporary lock of an authenticator and resets the
// count. It reports whether this call did: of several at once, one does.
func (v Authenticators) EndTemporaryLock(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "end lock of "+id, `
		DELETE FROM passing_locks WHERE tenant_id = $1 AND authenticator_id = $2 AND until <= $3`, tenant, id, at(v.tx.now()))
	if n == 0 || err != nil {
		return false, err
	}
	n, err = v.tx.exec(ctx, "end lock of "+id, `
		UPDATE authenticators SET locked_at = NULL, invalid = 0 WHERE tenant_id = $1 AND id = $2 AND locked_at IS NOT NULL AND revoked_at IS NULL`,
		tenant, id)
	return n == 1, err
}

// LapsedLocks yields at most limit authenticators, of all tenants, whose temporary
// lock has expired and is still written.
func (v AuthenticatorReads) LapsedLocks(ctx context.Context, limit int) iter.Seq2[identity.Authenticator, error] {
	return list(ctx, v.r, "lapsed locks", v.r.scanAuthenticator, `
		SELECT `+authenticatorColumns+`
		FROM passing_locks l JOIN authenticators a ON a.tenant_id = l.tenant_id AND a.id = l.authenticator_id
		WHERE l.until <= $1 ORDER BY l.until LIMIT $2`, at(v.r.now()), limit)
}

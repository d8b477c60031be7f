package store

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// idle is when an authenticator was last used or, if it never was, enrolled.
const idle = `COALESCE(last_used_at, enrolled_at)`

// expirable is the condition that an authenticator becomes inactive when it is not
// used: it is assigned, and may be locked. A suspended one stays: an operator keeps
// it for its user.
const expirable = assigned + ` AND suspended_at IS NULL`

// An UnusedAuthenticator was not used since a time.
type UnusedAuthenticator struct {
	ID       string
	Since    time.Time // its last use or, if it was never used, its enrolment
	WarnedAt time.Time // when its user was warned after that; zero if not yet
}

// Unused yields at most limit authenticators of a tenant that were not used since
// before, in the order of ids and with ids greater than beyond.
func (v AuthenticatorReads) Unused(ctx context.Context, tenant string, before time.Time, beyond string, limit int) iter.Seq2[UnusedAuthenticator, error] {
	return list(ctx, v.r, "unused authenticators", func(row scanner) (u UnusedAuthenticator, err error) {
		err = row.Scan(&u.ID, nullTime{&u.Since}, nullTime{&u.WarnedAt})
		if u.WarnedAt.Before(u.Since) { // a warning before its last use
			u.WarnedAt = time.Time{}
		}
		return u, err
	}, `SELECT id, `+idle+`, warned_at FROM authenticators
		WHERE tenant_id = $1 AND id > $2 AND `+expirable+` AND `+idle+` < $3 ORDER BY id LIMIT $4`, tenant, beyond, at(before), limit)
}

// CountUnused counts the authenticators of a tenant that were not used since before.
func (v AuthenticatorReads) CountUnused(ctx context.Context, tenant string, before time.Time) (n int64, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT `+fullScan+` COUNT(*) FROM authenticators WHERE tenant_id = $1 AND `+expirable+` AND `+idle+` < $2`, tenant, at(before)).Scan(&n)
	if err != nil {
		return 0, notFound("unused authenticators", err)
	}
	return n, nil
}

// WarnUnused records that an authenticator's user is warned, and reports whether that
// was still to be done: the authenticator is unused since before, and its user was
// not warned after its last use.
func (v Authenticators) WarnUnused(ctx context.Context, tenant, id string, before time.Time) (bool, error) {
	n, err := v.tx.exec(ctx, "warn of "+id, `
		UPDATE authenticators SET warned_at = $3
		WHERE tenant_id = $1 AND id = $2 AND `+expirable+` AND `+idle+` < $4 AND (warned_at IS NULL OR warned_at < `+idle+`)`,
		tenant, id, at(v.tx.now()), at(before))
	return n == 1, err
}

// ExpireUnused makes an authenticator inactive that is unused since before and whose
// user was warned before warned. It reports whether it did. A hardware token can be
// assigned again; an app token keeps its user, so that the app can be told.
func (v Authenticators) ExpireUnused(ctx context.Context, a identity.Authenticator, before, warned time.Time) (bool, error) {
	n, err := v.tx.exec(ctx, "expire "+a.ID, `
		UPDATE authenticators SET inactive_at = $3
		WHERE tenant_id = $1 AND id = $2 AND `+expirable+` AND `+idle+` < $4 AND warned_at <= $5 AND warned_at >= `+idle,
		a.Tenant, a.ID, at(v.tx.now()), at(before), at(warned))
	if n == 0 || err != nil || a.ImportedAt.IsZero() {
		return n == 1, err
	}
	_, err = v.tx.exec(ctx, "unassign "+a.ID, `
		DELETE FROM authenticator_users WHERE tenant_id = $1 AND authenticator_id = $2`, a.Tenant, a.ID)
	return true, err
}

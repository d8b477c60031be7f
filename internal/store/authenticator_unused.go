package store

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// idle is when an authenticator was last used or, never used, enrolled.
const idle = `COALESCE(last_used_at, enrolled_at)`

// expirable is which authenticators become inactive when they are not used: those
// that somebody has, locked ones among them. One that is suspended stays: an
// operator has put it aside for its owner to come back to.
const expirable = assigned + ` AND suspended_at IS NULL`

// An Unused authenticator was not used since a time.
type UnusedAuthenticator struct {
	ID       string
	Since    time.Time // of its last use or, never used, of its enrolment
	WarnedAt time.Time // when its user was told, since that; zero when not yet
}

// Unused yields a tenant's authenticators that were last used before
// a time, in the order of their ids and beyond one of these, limit at most.
func (v AuthenticatorReads) Unused(ctx context.Context, tenant string, before time.Time, beyond string, limit int) iter.Seq2[UnusedAuthenticator, error] {
	return list(ctx, v.r, "unused authenticators", func(row scanner) (u UnusedAuthenticator, err error) {
		err = row.Scan(&u.ID, nullTime{&u.Since}, nullTime{&u.WarnedAt})
		if u.WarnedAt.Before(u.Since) { // of an earlier time
			u.WarnedAt = time.Time{}
		}
		return u, err
	}, `SELECT id, `+idle+`, warned_at FROM authenticators
		WHERE tenant_id = $1 AND id > $2 AND `+expirable+` AND `+idle+` < $3 ORDER BY id LIMIT $4`, tenant, beyond, at(before), limit)
}

// CountUnused counts them.
func (v AuthenticatorReads) CountUnused(ctx context.Context, tenant string, before time.Time) (n int64, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT `+fullScan+` COUNT(*) FROM authenticators WHERE tenant_id = $1 AND `+expirable+` AND `+idle+` < $2`, tenant, at(before)).Scan(&n)
	if err != nil {
		return 0, notFound("unused authenticators", err)
	}
	return n, nil
}

// WarnUnused notes that an authenticator's user is told, and reports whether that
// was still to be done: it is unused since before, and nobody told since.
func (v Authenticators) WarnUnused(ctx context.Context, tenant, id string, before time.Time) (bool, error) {
	n, err := v.tx.exec(ctx, "warn of "+id, `
		UPDATE authenticators SET warned_at = $3
		WHERE tenant_id = $1 AND id = $2 AND `+expirable+` AND `+idle+` < $4 AND (warned_at IS NULL OR warned_at < `+idle+`)`,
		tenant, id, at(v.tx.now()), at(before))
	return n == 1, err
}

// ExpireUnused makes an authenticator inactive that is unused since before and
// whose user was told before another time, and reports whether it still was. A
// hardware token is anybody's again; an app stays its user's, so that it can be
// told what became of it.
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

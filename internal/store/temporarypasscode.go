package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A TemporaryPasscode is a passcode that an operator made for a user.
type TemporaryPasscode struct {
	Tenant    string
	User      string
	Many      bool // may be used until it expires, not only once
	MadeAt    time.Time
	ExpiresAt time.Time
}

// temporaryPasscodeUse is what the MAC of a temporary passcode is bound to.
func temporaryPasscodeUse(tenant, user string) []string {
	return []string{"temporary passcode", tenant, user}
}

// openTemporary is the condition that a temporary passcode can be used at the time
// $3.
const openTemporary = `ended_at IS NULL AND expires_at > $3`

// TemporaryPasscodes writes the passcodes that operators make for users (CRED-9).
type TemporaryPasscodes struct{ tx *Tx }

// TemporaryPasscodes returns the view; what it writes is part of the transaction.
func (tx *Tx) TemporaryPasscodes() TemporaryPasscodes {
	return TemporaryPasscodes{tx}
}

// Set replaces the temporary passcode of a user. Its digits are ASCII.
func (v TemporaryPasscodes) Set(ctx context.Context, t TemporaryPasscode, code string) error {
	mac, root, err := v.tx.MAC(code, temporaryPasscodeUse(t.Tenant, t.User)...)
	if err != nil {
		return err
	}
	var many int64
	if t.Many {
		many = 1
	}
	_, err = v.tx.exec(ctx, "temporary passcode of "+t.User, `
		INSERT INTO temporary_passcodes (tenant_id, user_id, mac, root, many, made_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, user_id) DO UPDATE SET mac = excluded.mac, root = excluded.root, many = excluded.many,
			made_at = excluded.made_at, expires_at = excluded.expires_at, uses = 0, wrong = 0, ended_at = NULL`,
		t.Tenant, t.User, mac, root, many, at(v.tx.now()), at(t.ExpiresAt))
	return err
}

// End ends the temporary passcode of a user, and reports whether one could still be
// used.
func (v TemporaryPasscodes) End(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "end temporary passcode of "+user, `
		UPDATE temporary_passcodes SET ended_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND `+openTemporary,
		tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Use uses a temporary passcode of a user, and reports whether it was right and could
// be used. If it is for a single use, it ends: the condition is part of the UPDATE,
// so that of a hundred uses at once one succeeds (CRED-9).
func (v TemporaryPasscodes) Use(ctx context.Context, tenant, user, code string) (bool, error) {
	macs, err := v.tx.MACs(code, temporaryPasscodeUse(tenant, user)...)
	if err != nil {
		return false, err
	}
	used := false
	for _, mac := range macs {
		n, err := v.tx.exec(ctx, "use temporary passcode of "+user, `
			UPDATE temporary_passcodes SET uses = uses + 1, ended_at = CASE WHEN many = 1 THEN ended_at ELSE $3 END
			WHERE tenant_id = $1 AND user_id = $2 AND mac = $4 AND `+openTemporary, tenant, user, at(v.tx.now()), mac)
		if err != nil {
			return false, err
		}
		used = used || n == 1
	}
	return used, nil
}

// CountInvalid counts a wrong passcode against the temporary passcode of a user. The
// limit-th ends it, because the user may have no authenticator whose lock would end
// the guessing. It reports whether this call ended it.
func (v TemporaryPasscodes) CountInvalid(ctx context.Context, tenant, user string, limit int64) (ended bool, err error) {
	var since time.Time
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE temporary_passcodes SET wrong = wrong + 1, ended_at = CASE WHEN wrong + 1 >= $4 THEN $3 ELSE ended_at END
		WHERE tenant_id = $1 AND user_id = $2 AND `+openTemporary+` RETURNING ended_at`,
		tenant, user, at(v.tx.now()), limit).Scan(nullTime{&since})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, notFound("temporary passcode of "+user, err)
	}
	return !since.IsZero(), nil
}

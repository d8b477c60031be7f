package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// CountInvalid counts a wrong passcode against an authenticator if it is
// active, and locks it when that is the limit-th in a row: until a time, or for
// the zero time until somebody unlocks it. It reports whether this call locked
// it. Count and lock are one statement, so that parallel wrong ones are all
// counted and one of them locks.
func (v Passcodes) CountInvalid(ctx context.Context, tenant, id string, limit int64, until time.Time) (locked bool, err error) {
	var since time.Time
	err = v.tx.sql.QueryRowContext(ctx, `
		UPDATE authenticators SET invalid = invalid + 1, locked_at = CASE WHEN invalid + 1 >= $3 THEN $4 ELSE locked_at END
		WHERE tenant_id = $1 AND id = $2 AND `+active+` RETURNING locked_at`, tenant, id, limit, at(v.tx.now())).Scan(moment{&since})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, missing("count invalid of "+id, err)
	case since.IsZero() || until.IsZero():
		return !since.IsZero(), nil
	}
	_, err = v.tx.exec(ctx, "lock "+id, `
		INSERT INTO passing_locks (tenant_id, authenticator_id, until) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, authenticator_id) DO UPDATE SET until = excluded.until`, tenant, id, at(until))
	return true, err
}

// Unlock ends a lock and clears the count. It reports whether
// there was a lock to end: what wrong PINs locked stays so (SP-16).
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

// Lock locks an authenticator that somebody has until somebody
// unlocks it, and reports whether it was not locked so before: a lock that would
// have ended by itself now lasts.
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
		UPDATE authenticators SET locked_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+held+open, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// removeTemporaryLock makes a lock of an authenticator last that would have ended by
// itself, and reports whether there was one.
func (v Authenticators) removeTemporaryLock(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "passing lock of "+id, `
		DELETE FROM passing_locks WHERE tenant_id = $1 AND authenticator_id = $2`, tenant, id)
	return n == 1, err
}

// EndTemporaryLock writes that an authenticator's lock is over whose time has come,
// and clears the count. It reports whether this call did: of any number at once,
// one does.
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

// LapsedLocks yields authenticators of all tenants whose lock's time has come
// and is not written as over yet, limit at most.
func (v AuthenticatorReads) LapsedLocks(ctx context.Context, limit int) iter.Seq2[identity.Authenticator, error] {
	return list(ctx, v.r, "lapsed locks", v.r.scanAuthenticator, `
		SELECT `+authenticatorColumns+`
		FROM passing_locks l JOIN authenticators a ON a.tenant_id = l.tenant_id AND a.id = l.authenticator_id
		WHERE l.until <= $1 ORDER BY l.until LIMIT $2`, at(v.r.now()), limit)
}

// A PasscodeCount is where a user's wrong passcodes in a row stand, where they
// are counted per user (CRED-12).
type PasscodeCount struct {
	Tries int64 // wrong ones, and the one that is being looked at
	Locks int64 // that they led to since the last right one
}

// Reserve counts a try at a user's passcodes before it is looked at, and
// reports false while they are locked. The row is the transaction's until it
// ends, so that of any number at once, on any number of nodes, no more are looked
// at than the limit allows.
func (v Passcodes) Reserve(ctx context.Context, tenant, user string) (c PasscodeCount, ok bool, err error) {
	err = v.tx.sql.QueryRowContext(ctx, `
		UPDATE users SET passcode_failures = passcode_failures + 1, passcodes_locked_until = NULL
		WHERE tenant_id = $1 AND id = $2 AND (passcodes_locked_until IS NULL OR passcodes_locked_until <= $3)
		RETURNING passcode_failures, passcode_locks`, tenant, user, at(v.tx.now())).Scan(&c.Tries, &c.Locks)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, missing("try a passcode of "+user, err)
	}
	return c, true, nil
}

// ResetCount starts a user's count of wrong passcodes anew, and what their
// locks lead to.
func (v Passcodes) ResetCount(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "right passcode of "+user, `
		UPDATE users SET passcode_failures = 0, passcode_locks = 0 WHERE tenant_id = $1 AND id = $2`, tenant, user)
	return err
}

// Refund takes back the count of a try that was no guess.
func (v Passcodes) Refund(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "give passcode of "+user+" back", `
		UPDATE users SET passcode_failures = passcode_failures - 1 WHERE tenant_id = $1 AND id = $2 AND passcode_failures > 0`, tenant, user)
	return err
}

// Lock locks a user's passcodes until a time. Counting starts anew then.
func (v Passcodes) Lock(ctx context.Context, tenant, user string, until time.Time) error {
	_, err := v.tx.exec(ctx, "lock passcodes of "+user, `
		UPDATE users SET passcode_failures = 0, passcode_locks = passcode_locks + 1, passcodes_locked_until = $3
		WHERE tenant_id = $1 AND id = $2`, tenant, user, at(until))
	return err
}

// TakeUnlockMail reports whether a user was told of a lock of logins and not yet
// of its end, though it is over; from then on it is told.
func (v Users) TakeUnlockMail(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "tell end of lock of "+user, `
		UPDATE users SET unlock_due = 0 WHERE tenant_id = $1 AND id = $2 AND unlock_due = 1
			AND locked_at IS NULL AND (locked_until IS NULL OR locked_until <= $3)`, tenant, user, at(v.tx.now()))
	return n == 1, err
}

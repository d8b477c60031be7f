package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Passcodes uses up passcodes and counts wrong ones.
type Passcodes struct {
	tx *Tx
}

// Passcodes returns the view; what it writes is part of the transaction.
func (tx *Tx) Passcodes() Passcodes { return Passcodes{tx} }

// UseStep uses up the typed passcode of a time step, or of a counter, and all older
// ones. It reports whether that passcode was still unused: a passcode works once (RFC
// 6238, section 5.2). The count of wrong ones is reset, and the drift is stored for
// the next time.
//
// The comparison is part of the UPDATE, so that of two nodes with the same passcode
// at the same moment exactly one succeeds; both databases guarantee that for a single
// statement. An authenticator that was locked or revoked since it was read is not
// changed.
func (v Passcodes) UseStep(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, invalid = 0, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// SpendStep uses up the passcode of a step and all older ones without accepting it:
// the count of wrong ones stays.
func (v Passcodes) SpendStep(ctx context.Context, tenant, id string, step int64) error {
	_, err := v.tx.exec(ctx, "spend step of "+id, `
		UPDATE authenticators SET last_step = $3 WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active, tenant, id, step)
	return err
}

// UseStepSigned uses up the passcode of a step that came with a signed approval. The
// signed nonce makes the approval fresh, so the newest step that was used may be used
// again, but no older one (PUSH-13). The count of wrong passcodes, which is for typed
// ones, stays (CRED-11).
func (v Passcodes) UseStepSigned(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step <= $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// UseCounterSigned is UseStepSigned for counters. No counter may be used again.
func (v Passcodes) UseCounterSigned(ctx context.Context, tenant, id string, counter, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed counter of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, counter, drift, at(v.tx.now()))
	return n == 1, err
}

// A Passcode is a passcode of an authenticator without its digits: its step or
// counter, and the drift of the authenticator that it shows.
type Passcode struct{ Step, Drift int64 }

// UseResponse records that an authenticator answered a challenge, and resets the
// count of wrong answers. It reports whether the authenticator was active: one that
// was locked or revoked since it was read is not accepted.
func (v Passcodes) UseResponse(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "use response of "+id, `
		UPDATE authenticators SET invalid = 0, last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+active, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// UseSigned records that an authenticator was used by a signed approval without a
// passcode. It reports whether it was active. The count of wrong answers, which is
// for typed ones, stays (CRED-11).
func (v Passcodes) UseSigned(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed response of "+id, `
		UPDATE authenticators SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+active, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// SetClock stores the counter or clock of an authenticator that one of its passcodes
// showed. That passcode and all older ones are used up.
func (v Passcodes) SetClock(ctx context.Context, tenant, id string, p Passcode) (bool, error) {
	n, err := v.tx.exec(ctx, "set clock of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4 WHERE tenant_id = $1 AND id = $2 AND last_step < $3`,
		tenant, id, p.Step, p.Drift)
	return n == 1, err
}

// CountInvalid counts a wrong passcode of an active authenticator, and locks it if
// that was the limit-th in a row: until a time or, for the zero time, until it is
// unlocked. It reports whether this call locked it. Count and lock are one statement,
// so that of several wrong passcodes at once all are counted and one locks.
func (v Passcodes) CountInvalid(ctx context.Context, tenant, id string, limit int64, until time.Time) (locked bool, err error) {
	var since time.Time
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE authenticators SET invalid = invalid + 1, locked_at = CASE WHEN invalid + 1 >= $3 THEN $4 ELSE locked_at END
		WHERE tenant_id = $1 AND id = $2 AND `+active+` RETURNING locked_at`, tenant, id, limit, at(v.tx.now())).Scan(nullTime{&since})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, notFound("count invalid of "+id, err)
	case since.IsZero() || until.IsZero():
		return !since.IsZero(), nil
	}
	_, err = v.tx.exec(ctx, "lock "+id, `
		INSERT INTO passing_locks (tenant_id, authenticator_id, until) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, authenticator_id) DO UPDATE SET until = excluded.until`, tenant, id, at(until))
	return true, err
}

// A PasscodeCount is the count of wrong passcodes of a user in a row, for policies
// that count them for each user (CRED-12).
type PasscodeCount struct {
	Tries int64 // wrong ones, and the one in progress
	Locks int64 // because of them since the last right one
}

// Reserve counts an attempt before the passcode is checked, and reports false while
// the passcodes of the user are locked. The transaction keeps the lock on the row
// until it ends, so that of any number at once, on any number of nodes, no more are
// checked than the limit allows.
func (v Passcodes) Reserve(ctx context.Context, tenant, user string) (c PasscodeCount, ok bool, err error) {
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE users SET passcode_failures = passcode_failures + 1, passcodes_locked_until = NULL
		WHERE tenant_id = $1 AND id = $2 AND (passcodes_locked_until IS NULL OR passcodes_locked_until <= $3)
		RETURNING passcode_failures, passcode_locks`, tenant, user, at(v.tx.now())).Scan(&c.Tries, &c.Locks)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, notFound("try a passcode of "+user, err)
	}
	return c, true, nil
}

// ResetCount resets a user's counts of wrong passcodes and of locks.
func (v Passcodes) ResetCount(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "right passcode of "+user, `
		UPDATE users SET passcode_failures = 0, passcode_locks = 0 WHERE tenant_id = $1 AND id = $2`, tenant, user)
	return err
}

// Refund takes back the count of an attempt that was no guess.
func (v Passcodes) Refund(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "give passcode of "+user+" back", `
		UPDATE users SET passcode_failures = passcode_failures - 1 WHERE tenant_id = $1 AND id = $2 AND passcode_failures > 0`, tenant, user)
	return err
}

// Lock locks a user's passcodes until a time, and resets the count.
func (v Passcodes) Lock(ctx context.Context, tenant, user string, until time.Time) error {
	_, err := v.tx.exec(ctx, "lock passcodes of "+user, `
		UPDATE users SET passcode_failures = 0, passcode_locks = passcode_locks + 1, passcodes_locked_until = $3
		WHERE tenant_id = $1 AND id = $2`, tenant, user, at(until))
	return err
}

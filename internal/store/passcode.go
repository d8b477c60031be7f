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

// UseStep uses up the passcode of a step that was typed, and every older one,
// and reports whether it was still to be had: a passcode works once (RFC 6238,
// section 5.2). The count of wrong ones starts anew, and the drift seen is kept
// for next time.
//
// The comparison is part of the UPDATE, so of two nodes given the same passcode
// at the same moment exactly one succeeds. Both databases promise that for a
// single statement; no lock is needed. An authenticator that was locked or
// revoked since it was read is left alone too.
func (v Passcodes) UseStep(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, invalid = 0, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// SpendStep uses up the passcode of a step, and every older one, without its
// having been good for anything: the count of wrong ones stays.
func (v Passcodes) SpendStep(ctx context.Context, tenant, id string, step int64) error {
	_, err := v.tx.exec(ctx, "spend step of "+id, `
		UPDATE authenticators SET last_step = $3 WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active, tenant, id, step)
	return err
}

// UseStepSigned uses up the passcode of a step that came with a signed
// approval. The nonce that was signed makes it fresh, so the newest step that
// was used may come again, but none older (PUSH-13). Wrong passcodes are
// counted for what people type, and that count stays as it is (CRED-11).
func (v Passcodes) UseStepSigned(ctx context.Context, tenant, id string, step, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed step of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step <= $3 AND `+active,
		tenant, id, step, drift, at(v.tx.now()))
	return n == 1, err
}

// UseCounterSigned is UseStepSigned for counters, of which none comes twice.
func (v Passcodes) UseCounterSigned(ctx context.Context, tenant, id string, counter, drift int64) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed counter of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4, last_used_at = $5
		WHERE tenant_id = $1 AND id = $2 AND last_step < $3 AND `+active,
		tenant, id, counter, drift, at(v.tx.now()))
	return n == 1, err
}

// A Passcode is one of an authenticator's, without the digits: which step it
// is of, or counter, and how far off that shows the authenticator to be.
type Passcode struct{ Step, Drift int64 }

// UseResponse notes that an authenticator answered a challenge, and starts its
// count of wrong ones anew. It reports whether the authenticator was active: one
// that was locked or revoked since it was read lets nobody in.
func (v Passcodes) UseResponse(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "use response of "+id, `
		UPDATE authenticators SET invalid = 0, last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+active, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// UseSigned notes that an authenticator was used by a signed approval that has no
// passcode to use up. It reports whether it was active. The count of wrong
// responses stays as it is: it is for what people type (CRED-11).
func (v Passcodes) UseSigned(ctx context.Context, tenant, id string) (bool, error) {
	n, err := v.tx.exec(ctx, "use signed response of "+id, `
		UPDATE authenticators SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+active, tenant, id, at(v.tx.now()))
	return n == 1, err
}

// SetClock keeps how far an authenticator's counter or clock was found to
// be, by a passcode of it: that one and every older one is spent.
func (v Passcodes) SetClock(ctx context.Context, tenant, id string, p Passcode) (bool, error) {
	n, err := v.tx.exec(ctx, "set clock of "+id, `
		UPDATE authenticators SET last_step = $3, drift = $4 WHERE tenant_id = $1 AND id = $2 AND last_step < $3`,
		tenant, id, p.Step, p.Drift)
	return n == 1, err
}

// CountInvalid counts a wrong passcode against an authenticator if it is
// active, and locks it when that is the limit-th in a row: until a time, or for
// the zero time until somebody unlocks it. It reports whether this call locked
// it. Count and lock are one statement, so that parallel wrong ones are all
// counted and one of them locks.
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

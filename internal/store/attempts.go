package store

import (
	"context"
	"time"
)

// A FailureCounter says which count of failed sign-ins in a row is meant (CRED-20):
// in a browser from which the user has signed in before, the one of that browser;
// otherwise the one of the user.
type FailureCounter struct {
	Tenant, User string
	Browser      string // empty: the counter of the user
}

// table returns the table and the condition of the row that has the count.
func (t FailureCounter) table() (table, where string, args []any) {
	if t.Browser == "" {
		return "users", "tenant_id = $1 AND id = $2", []any{t.Tenant, t.User}
	}
	return "browser_users", "tenant_id = $1 AND user_id = $2 AND browser = $3", []any{t.Tenant, t.User, t.Browser}
}

// admitted is the condition on a user u under which a secret is evaluated at all.
const admitted = `u.disabled_at IS NULL AND u.locked_at IS NULL`

// Attempts counts failed sign-ins in a row and locks sign-ins (CRED-20).
type Attempts struct {
	tx *Tx
}

// Attempts returns the view; what it writes is part of the transaction.
func (tx *Tx) Attempts() Attempts { return Attempts{tx} }

// Reserve counts an attempt before its secret is evaluated, so that of 200 attempts
// at once no more are evaluated than the threshold allows, and an attempt stays
// counted after a crash. It reports false while the counter is locked, or if all
// remaining attempts are in progress. A threshold of 0 is no limit. No attempt is
// evaluated, in any browser, for a user whom an operator locked or disabled.
//
// After a lock has expired, one attempt is allowed: only a finished sign-in resets
// the count, so that a wrong one locks again at once.
func (v Attempts) Reserve(ctx context.Context, t FailureCounter, threshold int64) (bool, error) {
	if threshold == 0 {
		var n int64
		err := v.tx.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM users u WHERE u.tenant_id = $1 AND u.id = $2 AND `+admitted, t.Tenant, t.User).Scan(&n)
		if err != nil {
			return false, notFound("reserve a try", err)
		}
		return n == 1, nil
	}
	table, where, args := t.table()
	now, limit := placeholders(len(args))
	n, err := v.tx.exec(ctx, "reserve a try", `
		UPDATE `+table+` SET
			failures = CASE WHEN locked_until IS NULL THEN failures + 1 ELSE `+limit+` + 1 END,
			locked_until = NULL
		WHERE `+where+` AND ((locked_until IS NULL AND failures <= `+limit+`) OR locked_until <= `+now+`)
			AND EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = $1 AND u.id = $2 AND `+admitted+`)`,
		append(args, at(v.tx.now()), threshold)...)
	return n == 1, err
}

// Refund takes back the reservation of an attempt whose secret was right. The count
// of failures before it stays until a sign-in is finished.
func (v Attempts) Refund(ctx context.Context, t FailureCounter) error {
	table, where, args := t.table()
	_, err := v.tx.exec(ctx, "give a try back", `UPDATE `+table+` SET failures = failures - 1 WHERE `+where+` AND failures > 0`, args...)
	return err
}

// LockIfExceeded locks sign-ins until a time if more attempts than the threshold have
// failed, and reports whether this call did it.
func (v Attempts) LockIfExceeded(ctx context.Context, t FailureCounter, threshold int64, until time.Time) (bool, error) {
	if threshold == 0 {
		return false, nil
	}
	table, where, args := t.table()
	end, limit := placeholders(len(args))
	n, err := v.tx.exec(ctx, "lock", `
		UPDATE `+table+` SET locked_until = `+end+` WHERE `+where+` AND failures > `+limit+` AND locked_until IS NULL`,
		append(args, at(until), threshold)...)
	if n == 0 || err != nil {
		return false, err
	}
	_, err = v.tx.exec(ctx, "lock", `UPDATE users SET unlock_due = 1 WHERE tenant_id = $1 AND id = $2`, t.Tenant, t.User)
	return true, err
}

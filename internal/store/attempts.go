package store

import (
	"context"
	"time"
)

// A Tally is where failed logins in a row are counted (CRED-20): for a browser
// in which the user has logged in before, that browser's own; else the user's.
type FailureCounter struct {
	Tenant, User string
	Browser      string // empty: the user's own
}

// table says which row holds the count.
func (t FailureCounter) table() (table, where string, args []any) {
	if t.Browser == "" {
		return "users", "tenant_id = $1 AND id = $2", []any{t.Tenant, t.User}
	}
	return "browser_users", "tenant_id = $1 AND user_id = $2 AND browser = $3", []any{t.Tenant, t.User, t.Browser}
}

// admitted is what a user u must be for anything of theirs to be evaluated.
const admitted = `u.disabled_at IS NULL AND u.locked_at IS NULL`

// Attempts counts failed logins in a row and locks logins (CRED-20).
type Attempts struct {
	tx *Tx
}

// Attempts returns the view; what it writes is part of the transaction.
func (tx *Tx) Attempts() Attempts { return Attempts{tx} }

// Reserve counts a try before its secret is evaluated, so that of 200 parallel
// tries at the limit no more are evaluated than the limit allows, and a crash
// leaves the try counted. It reports false while the user is locked, or when
// every try left is in flight. threshold 0 means there is no limit. Of a user
// whom an operator locked or disabled no try is evaluated, in any browser.
//
// A lock that has run out admits one try: only a finished login resets the
// count, so a wrong one locks again at once.
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

// Refund returns the reservation of a try whose secret was right. The count
// itself stays: only a finished login resets it.
func (v Attempts) Refund(ctx context.Context, t FailureCounter) error {
	table, where, args := t.table()
	_, err := v.tx.exec(ctx, "give a try back", `UPDATE `+table+` SET failures = failures - 1 WHERE `+where+` AND failures > 0`, args...)
	return err
}

// LockIfExceeded locks logins until a time if more tries than the threshold
// have failed, and reports whether this call did it.
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

package store

import (
	"context"
	"time"
)

// HoldPush takes a user's turn in all that concerns push: until the transaction
// ends, others who ask for it wait. What is read afterwards is what those before
// left (SQLite gives one turn to everybody, PostgreSQL one to each row). It
// returns until when push is, or was, locked; zero when it never was.
func (tx *Tx) HoldPush(ctx context.Context, tenant, user string) (until time.Time, err error) {
	err = tx.sql.QueryRowContext(ctx, `
		UPDATE users SET push_locked_until = push_locked_until WHERE tenant_id = $1 AND id = $2 RETURNING push_locked_until`,
		tenant, user).Scan(moment{&until})
	if err != nil {
		return until, missing("turn of "+user, err)
	}
	return until, nil
}

// CountPushes counts the requests of a user from a time on that were neither
// followed by an approved one nor forgiven by an operator (PUSH-9).
func (r reader) CountPushes(ctx context.Context, tenant, user string, since time.Time) (n int64, err error) {
	err = r.q.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM push_requests WHERE tenant_id = $1 AND user_id = $2 AND created_at >= $3 AND forgiven_at IS NULL`,
		tenant, user, at(since)).Scan(&n)
	if err != nil {
		return 0, missing("count of pushes of "+user, err)
	}
	return n, nil
}

// LockPush locks push for a user until a time.
func (tx *Tx) LockPush(ctx context.Context, tenant, user string, until time.Time) error {
	_, err := tx.exec(ctx, "lock push of "+user, `
		UPDATE users SET push_locked_until = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, at(until))
	return err
}

// UnlockPush ends a lock, and reports whether there was one.
func (tx *Tx) UnlockPush(ctx context.Context, tenant, user string) (bool, error) {
	n, err := tx.exec(ctx, "unlock push of "+user, `
		UPDATE users SET push_locked_until = NULL WHERE tenant_id = $1 AND id = $2 AND push_locked_until > $3`,
		tenant, user, at(tx.now()))
	return n == 1, err
}

// ForgivePushes takes all requests of a user so far out of the count.
func (tx *Tx) ForgivePushes(ctx context.Context, tenant, user string) error {
	now := tx.now()
	_, err := tx.exec(ctx, "forgive pushes of "+user, `
		UPDATE push_requests SET forgiven_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND created_at >= $4 AND forgiven_at IS NULL`,
		tenant, user, at(now), at(now.Add(-longestWindow)))
	return err
}

// longestWindow is longer than any request counts.
const longestWindow = 2 * time.Hour

// ShownNumbers opens the numbers that screens show now to be picked on phones,
// limit at most.
func (r reader) ShownNumbers(ctx context.Context, tenant string, limit int) ([]string, error) {
	type shown struct {
		id     string
		sealed []byte
	}
	rows, err := Collect(list(ctx, r, "shown numbers", func(row scanner) (s shown, err error) { return s, row.Scan(&s.id, &s.sealed) }, `
		SELECT id, number FROM push_requests
		WHERE tenant_id = $1 AND ended_at IS NULL AND expires_at > $2 AND options IS NOT NULL LIMIT $3`, tenant, at(r.now()), limit))
	if err != nil {
		return nil, err
	}
	var numbers []string
	for _, s := range rows {
		number, err := r.Unseal(ctx, pushPlace(tenant, s.id, "number"), s.sealed)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, string(number))
	}
	return numbers, nil
}

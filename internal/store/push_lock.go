package store

import (
	"context"
	"time"
)

// Acquire locks the row of a user for all that concerns push: until the transaction
// ends, other transactions that acquire it wait, and then read what this one wrote.
// (SQLite has one writer, PostgreSQL locks each row.) It returns until when push is,
// or was, locked; zero if it never was.
func (v Push) Acquire(ctx context.Context, tenant, user string) (until time.Time, err error) {
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE users SET push_locked_until = push_locked_until WHERE tenant_id = $1 AND id = $2 RETURNING push_locked_until`,
		tenant, user).Scan(nullTime{&until})
	if err != nil {
		return until, notFound("push state of "+user, err)
	}
	return until, nil
}

// CountSince counts the requests of a user from a time on, the anonymous ones or all
// others, without those that were followed by an approved one or forgiven by an
// operator (PUSH-9).
func (v PushReads) CountSince(ctx context.Context, tenant, user string, anonymous bool, since time.Time) (n int64, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM push_requests
		WHERE tenant_id = $1 AND user_id = $2 AND created_at >= $3 AND forgiven_at IS NULL AND anonymous = $4`,
		tenant, user, at(since), flag(anonymous)).Scan(&n)
	if err != nil {
		return 0, notFound("count of pushes of "+user, err)
	}
	return n, nil
}

// Lock locks push for a user until a time.
func (v Push) Lock(ctx context.Context, tenant, user string, until time.Time) error {
	_, err := v.tx.exec(ctx, "lock push of "+user, `
		UPDATE users SET push_locked_until = $3 WHERE tenant_id = $1 AND id = $2`, tenant, user, at(until))
	return err
}

// Unlock ends the lock of push for a user, and reports whether there was one.
func (v Push) Unlock(ctx context.Context, tenant, user string) (bool, error) {
	n, err := v.tx.exec(ctx, "unlock push of "+user, `
		UPDATE users SET push_locked_until = NULL WHERE tenant_id = $1 AND id = $2 AND push_locked_until > $3`,
		tenant, user, at(v.tx.now()))
	return n == 1, err
}

// Forgive excludes all earlier requests of a user from the count.
func (v Push) Forgive(ctx context.Context, tenant, user string) error {
	now := v.tx.now()
	_, err := v.tx.exec(ctx, "forgive pushes of "+user, `
		UPDATE push_requests SET forgiven_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND created_at >= $4 AND forgiven_at IS NULL`,
		tenant, user, at(now), at(now.Add(-longestWindow)))
	return err
}

// longestWindow is longer than requests are counted.
const longestWindow = 2 * time.Hour

// ShownNumbers decrypts at most limit numbers that pages show now, to be picked on
// phones.
func (v PushReads) ShownNumbers(ctx context.Context, tenant string, limit int) ([]string, error) {
	type shown struct {
		id     string
		sealed []byte
	}
	rows, err := Collect(list(ctx, v.r, "shown numbers", func(row scanner) (s shown, err error) { return s, row.Scan(&s.id, &s.sealed) }, `
		SELECT id, number FROM push_requests
		WHERE tenant_id = $1 AND ended_at IS NULL AND expires_at > $2 AND options IS NOT NULL LIMIT $3`, tenant, at(v.r.now()), limit))
	if err != nil {
		return nil, err
	}
	var numbers []string
	for _, s := range rows {
		number, err := v.r.Unseal(ctx, pushPlace(tenant, s.id, "number"), s.sealed)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, string(number))
	}
	return numbers, nil
}

package store

import (
	"context"
	"time"
)

// An ExactRate is a limit of at most Max times in any span of Per, for rules that
// name a count in a time (ENR-6, ENR-9a). Each second in which it was used is a
// row; [Rate] is cheaper.
type ExactRate struct {
	Kind string // what is counted, such as "code by user"
	Max  int
	Per  time.Duration
}

// AllowExact counts one against the rate for a subject, or returns a Throttled
// that says when to come again. The first statement locks the subject until the
// transaction ends, so that the second counts what all others before it wrote.
func (tx *Tx) AllowExact(ctx context.Context, tenant string, rate ExactRate, subject string) error {
	now, per := tx.now().Unix(), int64(rate.Per/time.Second)
	if _, err := tx.exec(ctx, "rate of "+rate.Kind, `
		INSERT INTO rates (tenant_id, kind, subject, hits, until) VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET until = excluded.until`,
		tenant, rate.Kind, subject, now+per); err != nil {
		return err
	}
	n, err := tx.exec(ctx, "rate of "+rate.Kind, `
		INSERT INTO rate_counts (tenant_id, kind, subject, counted_at, n, until)
		SELECT $1, $2, $3, CAST($4 AS BIGINT), 1, CAST($5 AS BIGINT)
		WHERE (SELECT COALESCE(SUM(c.n), 0) FROM rate_counts c
			WHERE c.tenant_id = $1 AND c.kind = $2 AND c.subject = $3 AND c.counted_at > $6) < $7
		ON CONFLICT (tenant_id, kind, subject, counted_at) DO UPDATE SET n = rate_counts.n + 1`,
		tenant, rate.Kind, subject, now, now+per, now-per, rate.Max)
	if err != nil || n == 1 {
		return err
	}
	oldest := now
	err = tx.q.QueryRowContext(ctx, `
		SELECT COALESCE(MIN(counted_at), $4) FROM rate_counts
		WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND counted_at > $5 AND n > 0`,
		tenant, rate.Kind, subject, now, now-per).Scan(&oldest)
	if err != nil {
		return notFound("rate of "+rate.Kind, err)
	}
	return throttled(time.Duration(oldest+per-now) * time.Second)
}

// UndoAllowExact takes back the newest count of a rate, for what is counted before
// it is known whether it had to be: of many guesses at once, none is looked at
// that the rate does not allow. It belongs in the transaction of the
// [Tx.AllowExact], which still holds the lock.
func (tx *Tx) UndoAllowExact(ctx context.Context, tenant string, rate ExactRate, subject string) error {
	_, err := tx.exec(ctx, "rate of "+rate.Kind, `
		UPDATE rate_counts SET n = n - 1
		WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND counted_at = (SELECT MAX(c.counted_at) FROM rate_counts c
			WHERE c.tenant_id = $1 AND c.kind = $2 AND c.subject = $3 AND c.n > 0)`, tenant, rate.Kind, subject)
	return err
}

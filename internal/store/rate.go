package store

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Rate is a limit on how often something may happen: Max times at once, and
// from then on once in every Per/Max, so that after a pause of Per there are Max
// again. It is for limits that protect the server or slow down guessing. Where a
// rule names a count in a time, use [ExactRate].
//
// It is the generic cell rate algorithm (GCRA, ITU-T I.371): of each subject one
// integer is kept, the theoretical arrival time. That is the time at which the
// subject would be back at its full burst.
type Rate struct {
	Kind string // what is counted, such as "password"
	Max  int
	Per  time.Duration
}

// interval is the time after which one more is allowed. It is rounded up: a rate
// never allows more than it says.
func (r Rate) interval() time.Duration {
	n := time.Duration(max(r.Max, 1))
	return ((r.Per+n-1)/n + time.Microsecond - 1).Truncate(time.Microsecond)
}

// tolerance is how far ahead of the clock the theoretical arrival time may be for
// one more to be allowed.
func (r Rate) tolerance() time.Duration { return time.Duration(r.Max-1) * r.interval() }

// Allow counts one against the rate for a subject (a user's id, an address), or
// returns a Throttled that says when to come again. It is one conditional
// statement: of any number at once, on any number of nodes, as many are allowed
// as the rate says.
func (tx *Tx) Allow(ctx context.Context, tenant string, rate Rate, subject string) error {
	now := tx.now()
	n, err := tx.exec(ctx, "rate of "+rate.Kind, `
		INSERT INTO rates (tenant_id, kind, subject, hits, until, arrival_us) VALUES ($1, $2, $3, '', $4, $5)
		ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET until = excluded.until,
			arrival_us = CASE WHEN rates.arrival_us > $6 THEN rates.arrival_us ELSE $6 END + $7
		WHERE rates.arrival_us <= $8`,
		tenant, rate.Kind, subject, now.Add(rate.Per).Unix()+1, now.Add(rate.interval()).UnixMicro(),
		now.UnixMicro(), rate.interval().Microseconds(), now.Add(rate.tolerance()).UnixMicro())
	if err != nil || n == 1 {
		return err
	}
	wait, err := tx.RetryAfter(ctx, tenant, rate, subject)
	if err != nil {
		return err
	}
	return throttled(wait)
}

// UndoAllow takes one back that [Tx.Allow] counted, for what is counted before it is
// known whether it had to be.
func (tx *Tx) UndoAllow(ctx context.Context, tenant string, rate Rate, subject string) error {
	_, err := tx.exec(ctx, "rate of "+rate.Kind, `
		UPDATE rates SET arrival_us = arrival_us - $4 WHERE tenant_id = $1 AND kind = $2 AND subject = $3`,
		tenant, rate.Kind, subject, rate.interval().Microseconds())
	return err
}

// RetryAfter returns after which time, in whole seconds, a rate allows a subject
// one more; zero when it does now. It counts nothing: it is for refusing, before
// any work, a client that has failed too often, where each failure is a [Tx.Allow].
func (r Reader) RetryAfter(ctx context.Context, tenant string, rate Rate, subject string) (time.Duration, error) {
	var arrival int64
	err := r.q.QueryRowContext(ctx, `
		SELECT arrival_us FROM rates WHERE tenant_id = $1 AND kind = $2 AND subject = $3`, tenant, rate.Kind, subject).Scan(&arrival)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, notFound("rate of "+rate.Kind, err)
	}
	wait := time.UnixMicro(arrival).Add(-rate.tolerance()).Sub(r.now())
	return max(wait+time.Second-1, 0).Truncate(time.Second), nil
}

// CheckRate returns the Throttled that [Tx.Allow] would return now. It counts nothing.
func (r Reader) CheckRate(ctx context.Context, tenant string, rate Rate, subject string) error {
	wait, err := r.RetryAfter(ctx, tenant, rate, subject)
	if err != nil || wait == 0 {
		return err
	}
	return throttled(wait)
}

// throttled is the refusal of a rate.
func throttled(wait time.Duration) error {
	return &identity.Error{Kind: identity.Throttled, Key: "error.throttled", RetryAfter: max(wait, time.Second)}
}

// Network is the subject of a rate by address: the address, or of an IPv6 one
// its /64, of which a single client has every address.
func Network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Unmap().Is4() {
		return ip
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.String()
}

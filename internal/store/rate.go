package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Rate bounds how often something may happen: at most Max times in any span
// of Per.
type Rate struct {
	Kind string // what is counted, such as "mail code"
	Max  int
	Per  time.Duration
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

// Allow counts one happening of the rate for a subject (a user's id, an
// address), or reports a Throttled that says when to come again. The count is
// exact, for the row is locked before it is read; of a rate of many, moments
// are told apart to a sixtieth of the span, so that the row stays small.
func (tx *Tx) Allow(ctx context.Context, tenant string, rate Rate, subject string) error {
	now := tx.now().Unix()
	per := int64(rate.Per / time.Second)
	var row string
	err := tx.q.QueryRowContext(ctx, `
		INSERT INTO rates (tenant_id, kind, subject, hits, until) VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET until = excluded.until
		RETURNING hits`, tenant, rate.Kind, subject, now+2*per).Scan(&row)
	if err != nil {
		return notFound("rate of "+rate.Kind, err)
	}
	recent := readHits(row, now-per)
	if recent.total() >= int64(rate.Max) {
		oldest := now
		if len(recent) > 0 {
			oldest = recent[0].at
		}
		wait := time.Duration(max(oldest+per-now, 1)) * time.Second
		return &identity.Error{Kind: identity.Throttled, Key: "error.throttled", RetryAfter: wait}
	}
	return tx.keepHits(ctx, tenant, rate, subject, recent.with(rate.moment(now)))
}

// UndoAllow undoes the newest hit of a rate, for counts that are raised before
// it is known whether they had to be: of many guesses at once, none is looked
// at that the rate does not allow. It belongs in the transaction of the hit,
// which still holds the row's lock.
func (tx *Tx) UndoAllow(ctx context.Context, tenant string, rate Rate, subject string) error {
	var row string
	err := tx.q.QueryRowContext(ctx, `
		SELECT hits FROM rates WHERE tenant_id = $1 AND kind = $2 AND subject = $3`, tenant, rate.Kind, subject).Scan(&row)
	if err != nil {
		return notFound("rate of "+rate.Kind, err)
	}
	all := readHits(row, 0)
	if last := len(all) - 1; last >= 0 {
		all[last].n--
	}
	return tx.keepHits(ctx, tenant, rate, subject, all)
}

func (tx *Tx) keepHits(ctx context.Context, tenant string, rate Rate, subject string, h hits) error {
	_, err := tx.exec(ctx, "rate of "+rate.Kind, `
		UPDATE rates SET hits = $4 WHERE tenant_id = $1 AND kind = $2 AND subject = $3`, tenant, rate.Kind, subject, h.String())
	return err
}

// RetryAfter returns for how long yet a rate allows nothing more to a subject; zero
// when it does. It counts nothing: it is for turning away, before any work, who
// has failed too often, where each failure is a [Tx.Allow].
func (r Reader) RetryAfter(ctx context.Context, tenant string, rate Rate, subject string) (time.Duration, error) {
	var row string
	err := r.q.QueryRowContext(ctx, `
		SELECT hits FROM rates WHERE tenant_id = $1 AND kind = $2 AND subject = $3`, tenant, rate.Kind, subject).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, notFound("rate of "+rate.Kind, err)
	}
	now, per := r.now().Unix(), int64(rate.Per/time.Second)
	recent := readHits(row, now-per)
	if recent.total() < int64(rate.Max) {
		return 0, nil
	}
	return time.Duration(max(recent[0].at+per-now, 1)) * time.Second, nil
}

// nullTime is when a hit of now is counted. A rate of many rounds up: a hit
// counts a little longer then, and never shorter.
func (r Rate) moment(now int64) int64 {
	grain := int64(r.Per/time.Second) / 60
	if r.Max <= 60 || grain <= 1 {
		return now
	}
	return now - now%grain + grain
}

// hits are the moments of a rate's hits, oldest first, and how many there were
// in each. As text: "moment*count", with blanks between; one alone has no count.
type hits []struct{ at, n int64 }

// readHits reads the hits after a moment. What cannot be read is passed over:
// only a hand in the database could have written it.
func readHits(row string, after int64) (h hits) {
	for word := range strings.FieldsSeq(row) {
		at, count, counted := strings.Cut(word, "*")
		t, err := strconv.ParseInt(at, 10, 64)
		n := int64(1)
		if counted && err == nil {
			n, err = strconv.ParseInt(count, 10, 64)
		}
		if err == nil && t > after && n > 0 {
			h = append(h, struct{ at, n int64 }{t, n})
		}
	}
	return h
}

func (h hits) total() (n int64) {
	for _, hit := range h {
		n += hit.n
	}
	return n
}

func (h hits) with(at int64) hits {
	if last := len(h) - 1; last >= 0 && h[last].at == at {
		h[last].n++
		return h
	}
	return append(h, struct{ at, n int64 }{at, 1})
}

func (h hits) String() string {
	var b strings.Builder
	for _, hit := range h {
		switch {
		case hit.n == 1:
			fmt.Fprintf(&b, "%d ", hit.at)
		case hit.n > 1:
			fmt.Fprintf(&b, "%d*%d ", hit.at, hit.n)
		}
	}
	return strings.TrimSpace(b.String())
}

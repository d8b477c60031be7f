package store

import (
	"cmp"
	"context"
	"iter"
	"strconv"
	"strings"
	"time"
)

// A PushFilter selects push requests. Zero fields select all.
type PushFilter struct {
	User    string // id
	Outcome PushOutcome
	Waiting bool          // only those that can still be answered; with no Outcome
	Grace   time.Duration // how long an approval can be claimed; after it the request has expired
	Since   time.Time     // made from then on
	Until   time.Time     // made before then
	Limit   int           // 0 means 100, less than 0 all
}

// longestLife is longer than any request waits for an answer.
const longestLife = 10 * time.Minute

// List yields the push requests of a tenant, newest first, those of one second in the
// order of ids. It reads page by page, and holds nothing open between two pages.
//
// The outcome in the filter is the one at the present time, which the rows may not
// have yet (PUSH-26): a request that nobody ended in time has expired, and so has an
// approval that was not claimed.
func (v PushReads) List(ctx context.Context, tenant string, f PushFilter) iter.Seq2[PushRequest, error] {
	left := cmp.Or(f.Limit, 100)
	return func(yield func(PushRequest, error) bool) {
		var last PushRequest // zero: from the beginning
		for left != 0 {
			page := eventPage
			if left > 0 {
				page = min(page, left)
			}
			query, args := f.query(tenant, v.r.now(), last, page)
			all, err := Collect(list(ctx, v.r, "pushes", scanPush, query, args...))
			if err != nil {
				yield(PushRequest{}, err)
				return
			}
			for _, p := range all {
				if !yield(p, nil) {
					return
				}
			}
			if len(all) < page {
				return
			}
			last = all[page-1]
			if left > 0 {
				left -= page
			}
		}
	}
}

// query returns the text and arguments of the page after a request.
func (f PushFilter) query(tenant string, now time.Time, after PushRequest, page int) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	conditions := []string{"p.tenant_id = " + arg(tenant)}
	also := func(condition string) { conditions = append(conditions, condition) }
	order := "p.created_at"
	if f.User != "" {
		also("p.user_id = " + arg(f.User))
		// The requests of one user are found by their own index and sorted. Without
		// the addition SQLite would take the index that needs no sorting, and scan
		// the requests of all users.
		order = "p.created_at + 0"
	}
	if !f.Since.IsZero() {
		also("p.created_at >= " + arg(at(f.Since)))
	}
	if !f.Until.IsZero() {
		also("p.created_at < " + arg(at(f.Until)))
	}
	if after.ID != "" {
		also("(" + order + ", p.id) < (" + arg(at(after.CreatedAt)) + ", " + arg(after.ID) + ")")
	}
	lapsed := func() string { return "p.claimed_at IS NULL AND p.ended_at < " + arg(at(now.Add(-f.Grace))) }
	switch f.Outcome {
	case "":
		if f.Waiting {
			also("p.ended_at IS NULL AND p.expires_at > " + arg(at(now)) + " AND p.created_at > " + arg(at(now.Add(-longestLife))))
		}
	case PushNoLonger:
		also("p.refused_at IS NOT NULL")
	case PushApproved:
		also("p.outcome = '" + string(PushApproved) + "' AND p.refused_at IS NULL AND NOT (" + lapsed() + ")")
	case PushExpired:
		also("p.refused_at IS NULL AND (p.outcome = '" + string(PushExpired) + "' OR p.ended_at IS NULL AND p.expires_at <= " + arg(at(now)) +
			" OR p.outcome = '" + string(PushApproved) + "' AND " + lapsed() + ")")
	default:
		// SQLite uses a partial index only if its condition stands in the query
		// literally.
		also("p.outcome = " + arg(string(f.Outcome)) + " AND p.outcome NOT IN ('', 'approved', 'expired')")
	}
	// The page is selected before it is joined: a planner without statistics might
	// join the whole table first.
	tail := " ORDER BY " + order + " DESC, p.id DESC LIMIT " + arg(page)
	return "SELECT " + pushColumns + " FROM (SELECT * FROM push_requests p WHERE " + strings.Join(conditions, " AND ") + tail +
		") AS p JOIN journeys j ON j.tenant_id = p.tenant_id AND j.id = p.journey_id" + tail, args
}

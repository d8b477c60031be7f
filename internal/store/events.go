package store

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// An EventFilter selects events. Zero fields select all.
type EventFilter struct {
	Kind    audit.Kind
	Kinds   []audit.Kind // any of these
	User    string       // id
	Journey string
	// Journeys selects the events of any of these, with User.
	Journeys []string
	// Actor is a kind of principal, an id, or the name of the person at the command
	// line. Names are not indexed: all events that the other fields select are read.
	Actor  string
	Since  time.Time // from then on
	Until  time.Time // before then
	Oldest bool      // oldest first, not newest
	// Beyond is the last event of a page; the next page begins after it. The zero
	// value begins at the beginning. Only its time and its id are used.
	Beyond audit.Event
	Limit  int // 0 means 100, less than 0 all
}

// eventPage is how many events are read at a time. Nothing is held open between two
// pages, so that a slow reader, or one of a million rows, keeps no snapshot of the
// database alive and needs no more memory than a page.
const eventPage = 500

// EventReads reads the audit log. Writing to it is [Tx.Event].
type EventReads struct{ r Reader }

// Events returns the view for reading.
func (r Reader) Events() EventReads { return EventReads{r} }

// List yields a tenant's events, newest first or as the filter says.
func (v EventReads) List(ctx context.Context, tenant string, f EventFilter) iter.Seq2[audit.Event, error] {
	return v.list(ctx, tenant, f, "")
}

// list is List with one more condition on the event e.
func (v EventReads) list(ctx context.Context, tenant string, f EventFilter, condition string) iter.Seq2[audit.Event, error] {
	left := cmp.Or(f.Limit, 100)
	return func(yield func(audit.Event, error) bool) {
		last := f.Beyond
		for left != 0 {
			page := eventPage
			if left > 0 {
				page = min(page, left)
			}
			query, args := f.query(tenant, last, page, condition)
			events, err := Collect(list(ctx, v.r, "events", scanEvent(tenant), query, args...))
			if err != nil {
				yield(audit.Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(events) < page {
				return
			}
			last = events[page-1]
			if left > 0 {
				left -= page
			}
		}
	}
}

const eventColumns = `e.id, e.at_ms, e.kind, e.actor_kind, e.actor_id, e.user_id, e.application_id, e.authenticator_id,
	e.journey_id, e.reason, e.data, e.personal, COALESCE(e.seq, 0)`

func scanEvent(tenant string) func(scanner) (audit.Event, error) {
	return func(row scanner) (audit.Event, error) {
		e := audit.Event{Tenant: tenant}
		var ms int64
		var data string
		var personal *string
		err := row.Scan(&e.ID, &ms, &e.Kind, &e.Actor.Kind, &e.Actor.ID, &e.User, &e.Application,
			&e.Authenticator, &e.Journey, &e.Reason, &data, &personal, &e.Seq)
		if err != nil {
			return e, err
		}
		e.At = time.UnixMilli(ms).UTC()
		if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
			return e, err
		}
		if e.Erased = personal == nil; e.Erased {
			return e, nil
		}
		if err := json.Unmarshal([]byte(*personal), &e.Personal); err != nil {
			return e, err
		}
		e.Actor.Name, e.Actor.IP = e.Personal["actor"], e.Personal["ip"]
		return e, nil
	}
}

// query returns the text and arguments of the page after an event.
//
// Each of several kinds is read by a query of its own, in the order of its index and
// no more than a page, and the results are merged. A single query for all kinds would
// sort all their events, or scan the events of other kinds between them.
func (f EventFilter) query(tenant string, after audit.Event, page int, condition string) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	common := []string{"e.tenant_id = " + arg(tenant)}
	if f.User != "" {
		common = append(common, "e.user_id = "+arg(f.User))
	}
	if f.Journey != "" {
		common = append(common, "e.journey_id = "+arg(f.Journey))
	}
	if len(f.Journeys) > 0 {
		var any []string
		for _, id := range f.Journeys {
			any = append(any, arg(id))
		}
		common = append(common, "e.journey_id IN ("+strings.Join(any, ", ")+")")
	}
	if f.Actor != "" {
		who, name := arg(f.Actor), jsonPrefix(f.Actor)
		common = append(common, "(e.actor_kind = "+who+" OR e.actor_id = "+who+" OR e.personal LIKE "+arg(name+`"%`)+
			` ESCAPE '\' OR e.personal LIKE `+arg(name+`:%`)+` ESCAPE '\')`)
	}
	if !f.Since.IsZero() {
		common = append(common, "e.at_ms >= "+arg(f.Since.UnixMilli()))
	}
	if !f.Until.IsZero() {
		common = append(common, "e.at_ms < "+arg(f.Until.UnixMilli()))
	}
	direction, beyond, order := "DESC", "<", "e.at_ms"
	if f.Oldest {
		direction, beyond = "ASC", ">"
	}
	if f.User != "" || f.Journey != "" {
		// The events of one user or journey are found by their own index and sorted.
		// Without the addition SQLite would take the index that needs no sorting, and
		// scan the events of everybody.
		order = "e.at_ms + 0"
	}
	if after.ID != "" {
		common = append(common, "("+order+", e.id) "+beyond+" ("+arg(after.At.UnixMilli())+", "+arg(after.ID)+")")
	}
	if condition != "" {
		common = append(common, condition)
	}
	tail := " ORDER BY " + order + " " + direction + ", e.id " + direction + " LIMIT " + arg(page)
	read := func(more ...string) string {
		return "SELECT " + eventColumns + " FROM events e WHERE " + strings.Join(append(slices.Clone(common), more...), " AND ") + tail
	}
	kinds := f.Kinds
	if f.Kind != "" {
		kinds = []audit.Kind{f.Kind}
	}
	switch {
	case len(kinds) == 0:
		return read(), args
	case len(kinds) == 1:
		return read("e.kind = " + arg(string(kinds[0]))), args
	case f.User != "" || f.Journey != "": // an index of their own leaves few
		var any []string
		for _, kind := range kinds {
			any = append(any, arg(string(kind)))
		}
		return read("e.kind IN (" + strings.Join(any, ", ") + ")"), args
	}
	var each []string
	for i, kind := range kinds {
		each = append(each, "SELECT * FROM ("+read("e.kind = "+arg(string(kind)))+") AS k"+strconv.Itoa(i))
	}
	columns := strings.ReplaceAll(strings.Replace(eventColumns, "COALESCE(e.seq, 0)", "e.seq", 1), "e.", "")
	return "SELECT " + columns + " FROM (" + strings.ReplaceAll(strings.Join(each, " UNION ALL "), "COALESCE(e.seq, 0)", "COALESCE(e.seq, 0) AS seq") +
		") AS e" + tail, args
}

// jsonPrefix is a LIKE pattern for the personal part up to the end of the name of an
// actor.
func jsonPrefix(actor string) string {
	quoted, err := json.Marshal(actor)
	if err != nil {
		return actor // never: a string can always be encoded
	}
	text := `"actor":` + strings.TrimSuffix(string(quoted), `"`)
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// Enrollments yields the enrolments that users began, each as all its events, oldest
// first. The newest enrolment comes first, or the oldest if the filter says so. Since
// and Until select by when the enrolment began. An enrolment begins with the first
// event of its journey with which one can begin; without a journey, with the
// activation.
func (v EventReads) Enrollments(ctx context.Context, tenant string, f EventFilter) iter.Seq2[[]audit.Event, error] {
	f.Kinds = audit.EnrollmentStartKinds
	var begins []string
	for _, kind := range f.Kinds {
		begins = append(begins, "'"+string(kind)+"'")
	}
	first := `(e.journey_id = '' OR NOT EXISTS (SELECT 1 FROM events f
		WHERE f.tenant_id = e.tenant_id AND f.journey_id = e.journey_id AND f.kind IN (` + strings.Join(begins, ", ") + `)
			AND (f.at_ms, f.id) < (e.at_ms, e.id)))`
	return func(yield func([]audit.Event, error) bool) {
		for e, err := range v.list(ctx, tenant, f, first) {
			var all []audit.Event
			if err == nil {
				all, err = v.enrollment(ctx, tenant, e)
			}
			if err == nil && len(all) == 0 {
				continue // removed since, with its tenant
			}
			if !yield(all, err) || err != nil {
				return
			}
		}
	}
}

// enrollment returns the events of the enrolment that began with an event.
func (v EventReads) enrollment(ctx context.Context, tenant string, begin audit.Event) ([]audit.Event, error) {
	f := EventFilter{Kinds: audit.EnrollmentKinds, Journey: begin.Journey, Since: begin.At, Oldest: true, Limit: -1}
	if begin.Journey != "" {
		return Collect(v.List(ctx, tenant, f))
	}
	f.User = begin.User
	all, err := Collect(v.List(ctx, tenant, f))
	return slices.DeleteFunc(all, func(e audit.Event) bool { return e.Data["activation"] != begin.Data["activation"] }), err
}

// How Follow polls. The order of commits is not the order of times, so it reads again
// what is recent: longer than a transaction takes, and than the clocks of two nodes
// differ.
const (
	followEvery = 100 * time.Millisecond
	followBack  = 5 * time.Second
)

// Follow yields the newest events, oldest first, and then each new one as it is
// committed, here or by any other node, until ctx ends. Each comes once.
func (v EventReads) Follow(ctx context.Context, tenant string, f EventFilter) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		f.Oldest = false
		tail, err := Collect(v.List(ctx, tenant, f))
		if err != nil {
			yield(audit.Event{}, err)
			return
		}
		slices.Reverse(tail)
		seen := make(map[string]time.Time) // recent events by id
		for _, e := range tail {
			seen[e.ID] = e.At
			if !yield(e, nil) {
				return
			}
		}
		cut := len(tail) > 0 && len(tail) == cmp.Or(f.Limit, 100) // the limit left out older events
		f.Oldest, f.Limit = true, -1
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for {
			f.Since = v.r.now().Add(-followBack)
			for e, err := range v.List(ctx, tenant, f) {
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					yield(audit.Event{}, err)
					return
				}
				if _, twice := seen[e.ID]; twice {
					continue
				}
				seen[e.ID] = e.At
				if cut && e.At.Before(tail[0].At) {
					continue
				}
				if !yield(e, nil) {
					return
				}
			}
			cut = false
			for id, at := range seen {
				if at.Before(f.Since.Add(-followBack)) {
					delete(seen, id)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Latest returns when the newest event of a kind, or of any kind, was written in any
// tenant; zero if there is none.
func (v EventReads) Latest(ctx context.Context, kind audit.Kind) (time.Time, error) {
	var ms *int64
	err := v.r.q.QueryRowContext(ctx, `SELECT MAX(at_ms) FROM events WHERE $1 = '' OR kind = $1`, string(kind)).Scan(&ms)
	if err != nil {
		return time.Time{}, notFound("latest event", err)
	}
	if ms == nil {
		return time.Time{}, nil
	}
	return time.UnixMilli(*ms).UTC(), nil
}

package push

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
)

// Outcomes lists all outcomes of a request, for filtering the history.
var Outcomes = []store.PushOutcome{store.PushApproved, store.PushNotMe, store.PushMistake, store.PushWrongNumber, store.PushExpired,
	store.PushSuperseded, store.PushCancelled, store.PushResync, store.PushNoLonger}

// A HistoryEntry is a request in the push history (ADM-7).
type HistoryEntry struct {
	store.PushRequest
	Outcome      store.PushOutcome // at the time of the query; empty while the request can still be answered
	Answered     bool              // on a phone
	ResponseTime time.Duration     // from the start of the request to the answer, in whole seconds; zero without an answer
}

// History yields a tenant's push requests, newest first, with their outcomes. A
// request whose time is over has expired, even if the row does not say so yet.
func History(ctx context.Context, r store.Reader, tenant string, f store.PushFilter) iter.Seq2[HistoryEntry, error] {
	f.Grace = claimTimeout
	return func(yield func(HistoryEntry, error) bool) {
		for p, err := range r.Push().List(ctx, tenant, f) {
			// Rows have a resolution of one second.
			if !yield(historyEntry(p, r.Now().Truncate(time.Second)), err) {
				return
			}
		}
	}
}

func historyEntry(p store.PushRequest, now time.Time) HistoryEntry {
	t := HistoryEntry{PushRequest: p, Outcome: outcome(p, now), Answered: p.Authenticator != ""}
	if !p.RefusedAt.IsZero() {
		t.Outcome = store.PushNoLonger
	}
	if t.Answered {
		t.ResponseTime = p.EndedAt.Sub(p.CreatedAt)
	}
	return t
}

// EntryOf returns the entry of one request.
func EntryOf(ctx context.Context, r store.Reader, tenant, id string) (HistoryEntry, error) {
	p, err := r.Push().Get(ctx, tenant, id)
	if err != nil {
		return HistoryEntry{}, err
	}
	return historyEntry(p, r.Now().Truncate(time.Second)), nil
}

package push

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
)

// Outcomes are all ways in which a request can have ended, for who asks the
// history about one of them.
var Outcomes = []store.PushOutcome{store.PushApproved, store.PushNotMe, store.PushMistake, store.PushWrongNumber, store.PushExpired,
	store.PushSuperseded, store.PushCancelled, store.PushResync, store.PushNoLonger}

// A Past is a request as the push history tells it (ADM-7).
type Past struct {
	store.PushRequest
	Outcome  store.PushOutcome // by the clock; empty while it can still be answered
	Answered bool              // on a phone
	Took     time.Duration     // from its making to the answer, in whole seconds; zero where there was none
}

// History yields a tenant's push requests, newest first, each with how it ended:
// one whose time is over has expired, whether or not anybody wrote that.
func History(ctx context.Context, r store.Reader, tenant string, f store.PushFilter) iter.Seq2[Past, error] {
	f.Grace = grace
	return func(yield func(Past, error) bool) {
		for p, err := range r.Push().List(ctx, tenant, f) {
			// To the second, as the rows are.
			if !yield(past(p, r.Now().Truncate(time.Second)), err) {
				return
			}
		}
	}
}

func past(p store.PushRequest, now time.Time) Past {
	t := Past{PushRequest: p, Outcome: outcome(p, now), Answered: p.Authenticator != ""}
	if !p.RefusedAt.IsZero() {
		t.Outcome = store.PushNoLonger
	}
	if t.Answered {
		t.Took = p.EndedAt.Sub(p.CreatedAt)
	}
	return t
}

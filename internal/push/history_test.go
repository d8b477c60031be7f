package push

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Every push is in the history, newest first, with the outcome by the clock, and is
// found by its outcome: an expired one although the row does not say so, and an
// approval that was not claimed in time. Without looking at the clock, both had the
// outcome of the row.
func TestADM7_HistoryByTheClock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "Phone")
		var ids []string
		begin := func() (*identity.Journey, store.PushRequest) {
			t.Helper()
			h.Clock.Advance(20 * time.Second)
			j := h.Journey(t, "b")
			p := mustStart(t, h, j, policy.Enter)
			ids = append(ids, p.ID)
			return j, p
		}
		answered := func(p store.PushRequest, with Answer) {
			t.Helper()
			h.Clock.Advance(7 * time.Second)
			if _, err := answer(t, h, h.DB, a, with); err != nil {
				t.Fatal(err)
			}
		}
		j, p := begin()
		answered(p, approval(p))
		if _, err := claim(t, h, h.DB, j, p.ID); err != nil {
			t.Fatal(err)
		}
		_, p = begin()
		answered(p, Answer{Request: p.ID, Nonce: p.Nonce, Decision: DenyNotMe})
		_, p = begin()
		answered(p, approval(p)) // and nobody claims it
		h.Clock.Advance(2 * time.Minute)
		begin() // and nobody answers
		h.Clock.Advance(2 * time.Minute)
		begin() // and it waits

		want := []store.PushOutcome{"", store.PushExpired, store.PushExpired, store.PushNotMe, store.PushApproved}
		all, err := store.Collect(History(t.Context(), h.DB.Reader, h.Tenant.ID, store.PushFilter{}))
		if err != nil || len(all) != len(want) {
			t.Fatalf("got %d, %v, want %d", len(all), err, len(want))
		}
		for i, past := range all {
			took := time.Duration(0)
			if i >= 2 {
				took = 7 * time.Second
			}
			if past.Outcome != want[i] || past.ID != ids[len(ids)-1-i] || past.ResponseTime != took || past.Answered != (took > 0) {
				t.Errorf("%d: got %s %q after %v, answered %t, want %s %q after %v", i, past.ID, past.Outcome, past.ResponseTime, past.Answered,
					ids[len(ids)-1-i], want[i], took)
			}
			f := store.PushFilter{Outcome: want[i], Waiting: want[i] == ""}
			found, err := store.Collect(History(t.Context(), h.DB.Reader, h.Tenant.ID, f))
			n := 1
			if want[i] == store.PushExpired {
				n = 2
			}
			if err != nil || len(found) != n || found[0].Outcome != want[i] {
				t.Errorf("%q: found %+v, %v, want %d", want[i], found, err, n)
			}
		}
	})
}

package push

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A request survives the server that sent it. A new server, which shares only the
// database, shows its number and options and accepts its approval and its claim,
// and clients that wait there are notified (attack 12).
//
// Without the number in AddPush, it was lost. Without waking the journey in
// TakeAnswer, no client was notified.
func TestPUSH26_ARequestOutlivesTheServer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
		h.Do(t, func(tx *store.Tx) error {
			return tx.Authenticators().SetApp(t.Context(), a.Tenant, a.ID, "latchkey-web/1.1.0", []string{policy.Pick.Capability()})
		})
		before, next := h.Node(t), h.DB
		p, err := start(t, h, before, j, policy.Pick)
		if err != nil {
			t.Fatal(err)
		}
		s, err := LoadState(t.Context(), next.Reader, h.Tenant.ID, p.ID)
		if err != nil || s.Number != p.Number || !s.Waiting() {
			t.Fatalf("after the restart the page sees %q, %v, want %q", s.Number, err, p.Number)
		}
		if got, err := next.Push().Options(t.Context(), h.Tenant.ID, p.ID); err != nil || len(got) != optionCount {
			t.Errorf("the phone picks from %v, %v", got, err)
		}
		woken, stop := next.Subscribe(store.JourneyTopic(j.ID))
		defer stop()
		if end, err := answer(t, h, next, a, approval(p)); err != nil || end.Outcome != store.PushApproved {
			t.Fatalf("approved: %+v, %v", end, err)
		}
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Error("nobody was woken")
		}
		if by, err := claim(t, h, next, j, p.ID); err != nil || by.ID != a.ID {
			t.Errorf("claimed: by %q, %v", by.ID, err)
		}
	})
}

package push

import (
	"fmt"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// askAnonymously starts a request of somebody who has proved nothing.
func askAnonymously(t *testing.T, h *storetest.Fixture, browser string) (p store.PushRequest, refused error) {
	t.Helper()
	j := h.Journey(t, browser)
	h.Do(t, func(tx *store.Tx) error {
		p, refused = StartAnonymous(t.Context(), tx, j, shown, policy.NoPresence, policy.DefaultPush())
		return nil
	})
	return p, refused
}

// Anonymous requests and the user's own are five an hour each. The sixth anonymous one is
// not sent and locks nothing; the sixth of the user locks, and then nothing is sent to
// either.
//
// Tried with one count for both: the user's first was refused.
func TestPUSH9_AnonymousRequestsCountApart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		phone := h.Authenticator(t, "phone")
		for n := range 6 {
			h.Clock.Advance(time.Minute)
			_, err := askAnonymously(t, h, fmt.Sprint("other ", n))
			if want := map[bool]string{true: "error.push.limit"}[n == 5]; key(err) != want {
				t.Errorf("anonymous request %d: %v, want %q", n+1, err, want)
			}
		}
		if state, _ := pushOf(t, h, h.DB, phone); state != identity.PushEnabled || len(events(t, h, audit.PushLocked)) != 0 {
			t.Errorf("anonymous requests made it %s", state)
		}
		sent(t, h, 5)
		locksNow(t, h)
		h.Clock.Advance(time.Minute)
		if _, err := askAnonymously(t, h, "other"); key(err) != "error.push.locked" {
			t.Errorf("an anonymous one during the lock: %v", err)
		}
	})
}

// An anonymous request does not keep the user's from being sent: it is superseded. The
// user's keeps an anonymous one from being sent, and 15 s are between any two.
//
// Tried without Anonymous in checkMayStart, and without it in Replace: the user was
// refused.
func TestPUSH10_TheUsersRequestReplacesAnAnonymousOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		h.Authenticator(t, "phone")
		theirs, err := askAnonymously(t, h, "other")
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(14 * time.Second)
		if _, err := ask(t, h, h.DB, h.Journey(t, "browser"), policy.DefaultPush()); key(err) != "error.push.wait" {
			t.Errorf("after 14 s: %v, want error.push.wait", err)
		}
		h.Clock.Advance(time.Second)
		own, err := ask(t, h, h.DB, h.Journey(t, "browser"), policy.DefaultPush())
		if err != nil {
			t.Fatal(err)
		}
		if s := look(t, h, theirs.ID); s.Outcome != store.PushSuperseded {
			t.Errorf("the anonymous one is %q, want superseded", s.Outcome)
		}
		h.Clock.Advance(15 * time.Second)
		if _, err := askAnonymously(t, h, "other"); key(err) != "error.push.elsewhere" {
			t.Errorf("an anonymous one while the user's waits: %v, want error.push.elsewhere", err)
		}
		if s := look(t, h, own.ID); s.Outcome != "" {
			t.Errorf("the user's is %q", s.Outcome)
		}
	})
}

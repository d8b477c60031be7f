package journey_test

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// That a new authenticator is ready is said until the first thing is done, through
// reloads and another language, and not again: not beside a wrong passcode, nor after
// going back. (Without leaveNewAuthenticator, it was said each time.)
func TestENR2_ANewAuthenticatorIsAnnouncedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		c := h.withSession(nowhere)
		v := h.toChoice("b")
		h.do(h.Who, func(tx *store.Tx) error { // as after self-provisioning
			v.Journey.Enroll, v.Journey.Code.PassedAt = identity.EnrollScan, tx.Now()
			return tx.Journeys().Step(t.Context(), v.Journey)
		})
		says := func(when, want string) {
			t.Helper()
			c.Binding, c.Browser = "b", "b"
			p, err := h.engine.Look(t.Context(), c.Client, v.Journey.ID)
			if err != nil || p.Notice != want {
				t.Errorf("%s: %q, %v, want %q", when, p.Notice, err, want)
			}
		}
		const ready = "notice.enrolled"
		does := func(in journey.Input, at journey.Step) {
			t.Helper()
			var err error
			if v, err = h.lookAt(v.Journey.ID); err != nil {
				t.Fatal(err)
			}
			v, err = h.take(c, v, in)
			v = h.want(v, err, at)
		}
		says("at first", ready)
		says("after a reload", ready)
		does(journey.PickLanguage{Language: "de"}, journey.Choose)
		says("in another language", ready)
		does(journey.ChooseMethod{Method: identity.ByPasscode}, journey.AskPasscode)
		says("at the passcode", "")
		does(journey.EnterPasscode{Passcode: "000000"}, journey.AskPasscode)
		says("after a wrong passcode", "")
		does(journey.GoBack{}, journey.Choose)
		says("after going back", "")
	})
}

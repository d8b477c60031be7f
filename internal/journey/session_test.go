package journey_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// withPassword logs in where a password is all that is asked.
func (h *fixture) withPassword(browser string) identity.Session {
	h.Helper()
	h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password}}}})
	v, err := h.take(h.withSession(identity.Session{}), h.named(browser, "berit.lie", journey.AskPassword), journey.EnterPassword{Password: password})
	h.want(v, err, journey.Done)
	return h.last
}

func mfa(s *journey.Request) { s.ACR = []string{journey.MFAContext} }

// What a journey took over from a session goes when the session is ended: a
// page left open after signing out is worth nothing to the next at the screen.
func TestTLOG27_SigningOutTakesBackWhatJourneysTookOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		s := h.withPassword("b")
		h.Clock.Advance(time.Minute)
		v, err := h.begin("b", s, mfa)
		v = h.want(v, err, journey.Choose)
		own := h.provedHere("b") // proved in the journey itself: stays
		h.do(h.Who, func(tx *store.Tx) error { return tx.Sessions().End(t.Context(), h.Tenant.ID, s.ID) })
		if _, err := h.take(h.withSession(identity.Session{}), v, journey.ChooseMethod{Method: identity.ByPasscode}); err == nil {
			t.Error("a page from before signing out was taken")
		}
		v, err = h.lookAt(v.Journey.ID)
		h.want(v, err, journey.AskPassword)
		own, err = h.lookAt(own.Journey.ID)
		h.want(own, err, journey.Choose)
	})
}

func (h *fixture) provedHere(browser string) *journey.View {
	h.Helper()
	v, err := h.begin(browser, identity.Session{}, mfa)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterName{Name: "berit.lie"})
	v = h.want(v, err, journey.AskPassword)
	h.Clock.Advance(time.Second)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password})
	return h.want(v, err, journey.Choose)
}

// Proving one thing more does not make the rest younger: the session's absolute
// end counts from the oldest of what it holds.
func TestJRN8_StepUpDoesNotPutOffTheSessionsEnd(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	s := h.withPassword("b")
	end := s.ExpiresAt
	h.Clock.Advance(11 * time.Hour)
	v, err := h.begin("b", s, mfa)
	v = h.want(v, err, journey.Choose)
	v, err = h.take(h.withSession(s), v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(h.withSession(s), v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	if !h.last.ExpiresAt.Equal(end) {
		t.Errorf("after step-up the session ends at %v, want still %v", h.last.ExpiresAt, end)
	}
}

package journey_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
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

// signedInBeside begins a journey in a second tab and signs in in the first one.
func (h *fixture) signedInBeside(change func(*journey.Request)) (second *journey.View, s identity.Session) {
	h.Helper()
	second, err := h.begin("b", identity.Session{}, change)
	second = h.want(second, err, journey.Identify)
	h.Clock.Advance(time.Minute)
	v := h.toChoice("b")
	v, err = h.take(h.withSession(identity.Session{}), v, journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterPasscode{Passcode: h.passcode(0)})
	h.want(v, err, journey.Done)
	h.Clock.Advance(time.Minute)
	return second, h.last
}

// A tab that stood at its sign-in page when another one finished goes on with the
// session at its next input, whichever that is.
func TestJRN8_ASecondTabGoesOnWithTheSession(t *testing.T) {
	for name, input := range map[string]journey.Input{
		"the same name": journey.EnterName{Name: " BERIT.lie "},
		"the button":    journey.Continue{},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
				h := newFixture(t, empty)
				v, s := h.signedInBeside(nil)
				c := h.withSession(s)
				c.Binding, c.Browser = "b", "b"
				p, err := h.engine.Look(t.Context(), c.Client, v.Journey.ID)
				if err != nil || p.Session != "Berit.Lie" || p.Step != journey.Identify {
					t.Errorf("a look shows session %q at %q (%v)", p.Session, p.Step, err)
				}
				v, err = h.take(c, v, input)
				h.want(v, err, journey.Done)
				if n := h.grants.Load(); n != 2 {
					t.Errorf("%d grants, want one of each tab", n)
				}
				if h.last.ID != s.ID || h.last.AuthTime != s.AuthTime {
					t.Errorf("session %s of %v, want %s of %v: nothing was proved anew", h.last.ID, h.last.AuthTime, s.ID, s.AuthTime)
				}
				if last := h.events(audit.LoginSucceeded)[0]; last.Reason != "single sign-on" {
					t.Errorf("the login is told as %q", last.Reason)
				}
			})
		})
	}
}

// What was typed for somebody whom the session proves already counts as no try.
func TestJRN8_ASecondTabAsksForNoPasswordThatWasProved(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	v, err := h.begin("b", identity.Session{}, nil)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterName{Name: "berit.lie"})
	v = h.want(v, err, journey.AskPassword)
	_, s := h.signedInBeside(nil)
	v, err = h.take(h.withSession(s), v, journey.EnterPassword{Password: "wrong"})
	h.want(v, err, journey.Done)
	if n := len(h.events(audit.LoginFailed)); n != 0 {
		t.Errorf("%d failures", n)
	}
}

// Whoever typed another name, goes back, or is to sign in afresh stays where they are.
func TestJRN8_ASecondTabThatMeansSomebodyElseStays(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.addUser("carl.moe")
	fresh := func(r *journey.Request) { r.ForceLogin = true }
	v, s := h.signedInBeside(nil)
	v, err := h.take(h.withSession(s), v, journey.EnterName{Name: "carl.moe"})
	v = h.want(v, err, journey.AskPassword)
	v, err = h.take(h.withSession(s), v, journey.EnterPassword{Password: "wrong"})
	if v = h.want(v, err, journey.AskPassword); v.Journey.Name != "carl.moe" {
		t.Errorf("it is about %q now", v.Journey.Name)
	}
	v, err = h.take(h.withSession(s), v, journey.GoBack{})
	h.want(v, err, journey.Identify)
	h.Clock.Advance(time.Minute)
	v, s = h.signedInBeside(fresh)
	v, err = h.take(h.withSession(s), v, journey.EnterName{Name: "berit.lie"})
	v = h.want(v, err, journey.AskPassword)
	if _, err = h.take(h.withSession(s), v, journey.Continue{}); err == nil {
		t.Error("a request for a fresh sign-in went on with a session")
	}
}

// Of a session that proved less than is asked, the rest is asked for; and what was
// taken over goes when the session ends.
func TestTLOG27_SigningOutTakesBackWhatASecondTabTookOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		v, err := h.begin("b", identity.Session{}, mfa)
		v = h.want(v, err, journey.Identify)
		h.Clock.Advance(time.Minute)
		s := h.withPassword("b")
		h.Clock.Advance(time.Minute)
		v, err = h.take(h.withSession(s), v, journey.Continue{})
		v = h.want(v, err, journey.Choose)
		h.Clock.Advance(time.Minute)
		h.do(h.Who, func(tx *store.Tx) error { return tx.Sessions().End(t.Context(), h.Tenant.ID, s.ID) })
		v, err = h.lookAt(v.Journey.ID)
		h.want(v, err, journey.AskPassword)
	})
}

// An attempt that was answered with *it wasn't me* is over, whoever signs in beside it
// with the same browser. (Tried without Refused in canUseSession: it went on.)
func TestPUSH14_ARejectedAttemptGoesOnWithNoSession(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	v := h.want(h.send(h.toChoice("b")), nil, journey.WaitForPush)
	if _, err := h.answer(func(a *push.Answer) { a.Decision = push.DenyNotMe }); err != nil {
		t.Fatal(err)
	}
	v = h.want(h.look(v), nil, journey.Refused)
	_, s := h.signedInBeside(nil)
	before := h.grants.Load()
	c := h.withSession(s)
	c.Binding, c.Browser = "b", "b"
	if p, err := h.engine.Look(t.Context(), c.Client, v.Journey.ID); err != nil || p.Session != "" {
		t.Errorf("the page offers the session of %q (%v)", p.Session, err)
	}
	if _, err := h.take(c, v, journey.Continue{}); err == nil || h.grants.Load() != before {
		t.Errorf("it went on: %v", err)
	}
}

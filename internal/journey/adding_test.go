package journey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// provenSession is a session in the browser "b" that has proved a password and, unless
// it is empty, a second factor in this way.
func (h *fixture) provenSession(by identity.Method) identity.Session {
	h.Helper()
	now := h.Clock.Now()
	s := identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: "b",
		AuthTime: now, Idle: time.Hour, ExpiresAt: now.Add(time.Hour),
		Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}}}
	if by != "" {
		p := identity.CompletedFactor{Validation: identity.SecondFactor, Method: by, At: now}
		if by == identity.ByPasscode {
			p.Authenticator = h.token.ID
		}
		s.Passed = append(s.Passed, p)
	}
	h.do(h.Who, func(tx *store.Tx) error { return tx.Sessions().Save(h.Context(), s, identity.NewSecret()) })
	return s
}

// add begins a journey for a further authenticator, a second later.
func (h *fixture) add(s identity.Session) (*journey.View, error) {
	h.Helper()
	h.Clock.Advance(time.Second)
	c := h.withSession(s)
	c.Browser, c.Binding = s.Browser, s.Browser
	p, err := h.engine.Begin(h.Context(), c.Client, journey.ForAuthenticator{Application: h.Application})
	return h.started(c, p, err)
}

// A second factor begins a journey for a further authenticator, in the session's
// own browser; a password, or a device remembered, begins none. (With the look
// at FactorStands taken out, and with remembered devices counting in it, it
// failed.)
func TestCRED16_AFurtherAuthenticatorTakesASecondFactor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		for _, tt := range []struct {
			by  identity.Method
			may bool
		}{{"", false}, {identity.ByRememberedDevice, false}, {identity.ByPasscode, true}, {identity.ByPush, true}, {identity.ByRecoveryCode, true}} {
			v, err := h.add(h.provenSession(tt.by))
			if !tt.may {
				if !errors.Is(err, identity.Forbidden) {
					t.Errorf("by %q: %v, want Forbidden", tt.by, err)
				}
				continue
			}
			v = h.want(v, err, journey.EnrollPlatform)
			if v.Journey.Browser != "b" || v.Journey.UserID != h.User.ID {
				t.Errorf("the journey is for %s in the browser %q", v.Journey.UserID, v.Journey.Browser)
			}
		}
		if got := len(h.events(audit.EnrollFurther)); got != 3 {
			t.Errorf("%d events, want 3", got)
		}
	})
}

// The journey goes with what it was begun with: the session, and the
// authenticator that stands for its person. (With TakeBackFactor doing nothing,
// with takeBackFrom doing nothing, and with Withdrawn never true, it failed.)
func TestCRED16_AFurtherAuthenticatorGoesWithWhatBeganIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		ctx, tenant := t.Context(), h.Tenant.ID
		for _, tt := range []struct {
			name  string
			does  func(tx *store.Tx, s identity.Session) error
			then  journey.Step
			since func(tx *store.Tx) error // puts it right
		}{
			{"nothing", func(*store.Tx, identity.Session) error { return nil }, journey.EnrollPlatform, nil},
			{"signed out", func(tx *store.Tx, s identity.Session) error { return tx.Sessions().End(ctx, tenant, s.ID) }, journey.Refused, nil},
			{"suspended", func(tx *store.Tx, _ identity.Session) error { return authenticator.Suspend(ctx, tx, h.token) }, journey.Refused,
				func(tx *store.Tx) error { return authenticator.Resume(ctx, tx, h.token) }},
			{"disabled", func(tx *store.Tx, s identity.Session) error {
				_, err := tx.Users().Disable(ctx, tenant, s.UserID)
				return err
			}, journey.Refused,
				func(tx *store.Tx) error { _, err := tx.Users().Enable(ctx, tenant, h.User.ID); return err }},
			{"lost", func(tx *store.Tx, _ identity.Session) error { return authenticator.Revoke(ctx, tx, h.token, "lost") }, journey.Refused, nil},
		} {
			s := h.provenSession(identity.ByPasscode)
			v, err := h.add(s)
			v = h.want(v, err, journey.EnrollPlatform)
			h.do(h.Who, func(tx *store.Tx) error { return tt.does(tx, s) })
			v, err = h.lookAt(v.Journey.ID)
			if err != nil || v.Step != tt.then {
				t.Errorf("%s: at %q, %v, want %q", tt.name, v.Step, err, tt.then)
			}
			if tt.since != nil {
				h.do(h.Who, tt.since)
			}
		}
	})
}

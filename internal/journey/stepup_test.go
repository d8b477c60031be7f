package journey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What is missing is asked, and no more: every session met by every request, and
// what the engine asks then. Both protocols put their requests into the same
// terms, which their own tests hold them to (TestJRN8_WhatARequestAsks).
func TestJRN8_WhatIsAskedOfWhichSession(t *testing.T) {
	const (
		password = "password"
		otp      = "passcode"
		all      = "all"      // from the name on
		nothing  = "nothing"  // it signs on
		refused  = "refused"  // a page would have to be shown
		unmet    = "unmet"    // no context asked for can be reached
		typed    = "typed"    // a context of the tenant's own: a one-time password
		ourBoth  = "our-both" // and one with a password besides
	)
	h := newFixture(t, storetest.SQLite(t))
	passcode := func(age time.Duration) identity.CompletedFactor {
		return identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPasscode, Authenticator: h.token.ID, At: h.Clock.Now().Add(-age)}
	}
	word := func(age time.Duration) identity.CompletedFactor {
		return identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now().Add(-age)}
	}
	lost := passcode(time.Minute)
	lost.Authenticator = identity.NewID(identity.AuthenticatorID)
	device := passcode(time.Minute)
	device.Method, device.Authenticator = identity.ByRememberedDevice, identity.NewID(identity.DeviceID)
	h.do(h.Who, func(tx *store.Tx) error {
		now := tx.Now()
		_, err := tx.Devices().Remember(t.Context(), identity.RememberedDevice{Tenant: h.Tenant.ID, ID: device.Authenticator, User: h.User.ID, Browser: "b",
			CreatedAt: now, UsedAt: now, Idle: time.Hour, ExpiresAt: now.Add(time.Hour)})
		return err
	})
	sessions := []struct {
		name   string
		passed []identity.CompletedFactor
	}{
		{"none", nil},
		{"password", []identity.CompletedFactor{word(time.Minute)}},
		{"old password", []identity.CompletedFactor{word(2 * time.Hour)}},
		{"both", []identity.CompletedFactor{word(time.Minute), passcode(time.Minute)}},
		{"old both", []identity.CompletedFactor{word(2 * time.Hour), passcode(2 * time.Hour)}},
		{"old password, passcode", []identity.CompletedFactor{word(2 * time.Hour), passcode(time.Minute)}},
		{"password, lost", []identity.CompletedFactor{word(time.Minute), lost}},
		{"password, device", []identity.CompletedFactor{word(time.Minute), device}},
	}
	onePassword, two := []identity.Validation{identity.Password}, []identity.Validation{identity.Password, identity.SecondFactor}
	contexts := policy.Contexts{Names: map[string][]identity.Validation{typed: {identity.SecondFactor}, ourBoth: two}}
	h.setPolicy(contexts)
	asking := func(how journey.Comparison, names ...string) func(*journey.Request) {
		return func(s *journey.Request) { s.ACR, s.Comparison = names, how }
	}
	for _, tt := range []struct {
		name   string
		rule   policy.Rule
		change func(*journey.Request)
		want   []string // of each of the sessions
	}{
		{"the rule asks for a password", policy.Rule{Require: onePassword}, nil,
			[]string{all, nothing, nothing, nothing, nothing, nothing, nothing, nothing}},
		{"the rule asks for both", policy.Rule{Require: two}, nil,
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
		{"both, and devices count", policy.Rule{Require: two, Remember: true}, nil,
			[]string{all, otp, otp, nothing, nothing, nothing, otp, nothing}},
		{"both, of the last hour", policy.Rule{Require: two, MaxAge: 3600}, nil,
			[]string{all, otp, password, nothing, password, password, otp, otp}},
		{"ForceAuthn, prompt=login", policy.Rule{Require: onePassword}, func(s *journey.Request) { s.ForceLogin = true },
			[]string{all, all, all, all, all, all, all, all}},
		{"IsPassive, prompt=none", policy.Rule{Require: two}, func(s *journey.Request) { s.Passive = true },
			[]string{refused, refused, refused, nothing, nothing, nothing, refused, refused}},
		{"ForceAuthn and IsPassive", policy.Rule{Require: onePassword}, func(s *journey.Request) { s.ForceLogin, s.Passive = true, true },
			[]string{refused, refused, refused, refused, refused, refused, refused, refused}},
		{"max_age", policy.Rule{Require: two}, func(s *journey.Request) { s.MaxAge = new(int64(3600)) },
			[]string{all, otp, password, nothing, password, password, otp, otp}},
		{"max_age longer than the rule's", policy.Rule{Require: onePassword, MaxAge: 3600}, func(s *journey.Request) { s.MaxAge = new(int64(36000)) },
			[]string{all, nothing, password, nothing, password, password, nothing, nothing}},
		{"max_age, passive", policy.Rule{Require: onePassword}, func(s *journey.Request) { s.MaxAge, s.Passive = new(int64(3600)), true },
			[]string{refused, nothing, refused, nothing, refused, refused, nothing, nothing}},
		{"mfa", policy.Rule{Require: onePassword}, asking("", journey.MFAContext),
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
		{"mfa, and devices count elsewhere", policy.Rule{Require: two, Remember: true}, asking("", journey.MFAContext),
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
		{"mfa or a password", policy.Rule{Require: onePassword}, asking("", journey.MFAContext, journey.PasswordContext),
			[]string{all, nothing, nothing, nothing, nothing, nothing, nothing, nothing}},
		{"mfa, passive", policy.Rule{Require: onePassword}, func(s *journey.Request) { s.Passive = true; asking("", journey.MFAContext)(s) },
			[]string{refused, refused, refused, nothing, nothing, nothing, refused, refused}},
		{"better than a password", policy.Rule{Require: onePassword}, asking(journey.Better, journey.PasswordContext),
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
		{"at least a password", policy.Rule{Require: onePassword}, asking(journey.Minimum, journey.PasswordContext),
			[]string{all, nothing, nothing, nothing, nothing, nothing, nothing, nothing}},
		{"at most a password, where the rule asks for both", policy.Rule{Require: two}, asking(journey.Maximum, journey.PasswordContext),
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
		{"better than mfa", policy.Rule{Require: onePassword}, asking(journey.Better, journey.MFAContext),
			[]string{unmet, unmet, unmet, unmet, unmet, unmet, unmet, unmet}},
		{"one nobody knows", policy.Rule{Require: onePassword}, asking("", "urn:nobody:knows"),
			[]string{unmet, unmet, unmet, unmet, unmet, unmet, unmet, unmet}},
		{"one nobody knows, or a password", policy.Rule{Require: onePassword}, asking("", "urn:nobody:knows", journey.PasswordContext),
			[]string{all, nothing, nothing, nothing, nothing, nothing, nothing, nothing}},
		{"the tenant's own", policy.Rule{Require: onePassword}, asking("", ourBoth),
			[]string{all, otp, otp, nothing, nothing, nothing, otp, otp}},
	} {
		tt.rule.Name = "all"
		h.setPolicy(policy.Access{Rules: []policy.Rule{tt.rule}})
		for i, s := range sessions {
			session := identity.Session{}
			if s.passed != nil {
				session = identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: "b", SeenAt: h.Clock.Now(), Passed: s.passed}
			}
			v, err := h.begin("b", session, tt.change)
			got := ""
			switch {
			case errors.Is(err, errLoginRequired):
				got = refused
			case errors.Is(err, errContextUnmet):
				got = unmet
			case err != nil:
				t.Fatal(err)
			default:
				got = map[journey.Step]string{journey.Identify: all, journey.AskPassword: password, journey.Choose: otp, journey.Done: nothing}[v.Step]
			}
			if got != tt.want[i] {
				t.Errorf("%s; the session has %s: asks %s, want %s", tt.name, s.name, got, tt.want[i])
			}
		}
	}
}

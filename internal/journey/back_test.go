package journey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Whatever a user can confirm with, every step of a way leads back to the choice with
// all its ways, and the pages of a push offer each of the others directly. (With
// passcodes alone on the waiting page, whoever had a passkey or a recovery code waited
// for a phone that was lost.)
func TestJRN3_EveryStepHasItsWayBack(t *testing.T) {
	addChallenges := func(h *fixture) {
		a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK9", Kind: identity.AppToken,
			Name: "A card", Platform: identity.Android, Seed: otp.NewSecret(otp.SHA256), Digits: 8, Suite: otp.ChallengeSuite(8), ActivatedAt: h.db.Now()}
		h.do(h.Who, func(tx *store.Tx) error { return tx.Authenticators().Add(h.Context(), a, h.User.ID) })
	}
	addPasskey := func(h *fixture) {
		h.passkeys(policy.SecondFactor)
		h.passkey(h.User)
	}
	for _, user := range []struct {
		name string
		has  func(h *fixture)
		ways int
	}{
		{"an app", func(*fixture) {}, 2},
		{"an app and recovery codes", func(h *fixture) { h.recoveryCodes() }, 3},
		{"everything", func(h *fixture) { addPasskey(h); addChallenges(h); h.recoveryCodes() }, 5},
		{"a passkey and codes, the app lost", func(h *fixture) { addPasskey(h); h.recoveryCodes(); h.lostAll() }, 2},
		{"recovery codes alone", func(h *fixture) { h.recoveryCodes(); h.lostAll() }, 1},
	} {
		t.Run(user.name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			user.has(h)
			c := h.withSession(identity.Session{})
			ways := h.toChoice("b").Methods
			if len(ways) != user.ways {
				t.Fatalf("ways %v, want %d", ways, user.ways)
			}
			for _, way := range ways {
				h.Clock.Advance(time.Minute) // pushes are spaced
				v, err := h.take(c, h.toChoice("b"), journey.ChooseMethod{Method: way})
				if err != nil || v.Step == journey.Choose {
					t.Fatalf("%s leads nowhere: %v", way, err)
				}
				if way == identity.ByPush {
					h.offersOthers(v, ways)
					if _, err := h.answer(func(a *push.Answer) { a.Decision = push.DenyMistake }); err != nil {
						t.Fatal(err)
					}
					v = h.want(h.look(v), nil, journey.PushOver)
					h.offersOthers(v, ways)
				}
				v, err = h.take(c, v, journey.GoBack{})
				v = h.want(v, err, journey.Choose)
				if !slices.Equal(v.Methods, ways) {
					t.Errorf("back from %s the ways are %v, want %v", way, v.Methods, ways)
				}
				v, err = h.take(c, v, journey.GoBack{})
				h.want(v, err, journey.Identify)
			}
		})
	}
}

// offersOthers tests that a page of a push offers all the other ways.
func (h *fixture) offersOthers(v *journey.View, ways []identity.Method) {
	h.Helper()
	c := h.withSession(identity.Session{})
	c.Binding, c.Browser = v.Journey.Browser, v.Journey.Browser
	p, err := h.engine.Look(h.Context(), c.Client, v.Journey.ID)
	if err != nil {
		h.Fatal(err)
	}
	others := slices.DeleteFunc(slices.Clone(ways), func(m identity.Method) bool { return m == identity.ByPush })
	if !slices.Equal(p.Push.OtherMethods, others) {
		h.Errorf("at %q the other ways are %v, want %v", p.Step, p.Push.OtherMethods, others)
	}
}

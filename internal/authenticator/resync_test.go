package authenticator

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func resynchronise(t *testing.T, h *storetest.Fixture, a identity.Authenticator, first, second string) error {
	t.Helper()
	return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		a, err := tx.Authenticators().Get(t.Context(), a.Tenant, a.ID)
		if err != nil {
			return err
		}
		return Resynchronise(t.Context(), tx, a, first, second)
	})
}

// Two consecutive passcodes, read out to an operator, set a clock or counter that is too far
// off, end a lock by wrong passcodes, and no longer work.
//
// Without follows, any two of the outer window did.
func TestCRED10_ResynchronisedByAnOperator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		app, token := h.Authenticator(t, "phone"), hotpToken(t, h)
		counted := func(n int64) string { return otp.HOTP(token.Seed, otp.Params{}, n) }
		for _, tt := range []struct {
			name          string
			a             identity.Authenticator
			first, second string
			right         bool
		}{
			{"clock: the same twice", app, passcode(h, app, 7), passcode(h, app, 7), false},
			{"clock: backwards", app, passcode(h, app, 7), passcode(h, app, 6), false},
			{"clock: too far apart", app, passcode(h, app, 6), passcode(h, app, 8), false},
			{"clock: out of reach", app, passcode(h, app, 11), passcode(h, app, 12), false},
			{"clock", app, passcode(h, app, 7), passcode(h, app, 8), true},
			{"clock: again", app, passcode(h, app, 7), passcode(h, app, 8), false},
			{"counter: one left out", token, counted(20), counted(22), false},
			{"counter: out of reach", token, counted(101), counted(102), false},
			{"counter", token, counted(20), counted(21), true},
			{"counter: again", token, counted(20), counted(21), false},
		} {
			if err := resynchronise(t, h, tt.a, tt.first, tt.second); (err == nil) != tt.right || err != nil && !errors.Is(err, identity.Invalid) {
				t.Errorf("%s: %v, want it right: %v", tt.name, err, tt.right)
			}
		}
		if got := row(t, h, app); got.Drift != 8 {
			t.Errorf("the clock's drift: %d, want 8", got.Drift)
		}
		if got := tryPasscode(t, h, h.DB, passcode(h, app, 8)); got.Reason != Replayed {
			t.Errorf("the second of the two typed: %v %q", got.OK, got.Reason)
		}
		if got := tryPasscode(t, h, h.DB, counted(22)); !got.OK {
			t.Errorf("the one after: %q", got.Reason)
		}
		if got := len(events(t, h, audit.AuthenticatorResync)); got != 2 {
			t.Errorf("%d events, want 2", got)
		}

		for range limit {
			tryPasscode(t, h, h.DB, wrongPasscode(h, app))
		}
		h.Clock.Advance(time.Hour)
		// The same two typed in a journey are not accepted: the lock holds there.
		if got := tryPasscode(t, h, h.DB, passcode(h, app, 8)); got.Reason != Locked {
			t.Errorf("typed while locked: %q", got.Reason)
		}
		if err := resynchronise(t, h, app, passcode(h, app, 8), passcode(h, app, 9)); err != nil {
			t.Errorf("of a locked one: %v", err)
		}
		if got := row(t, h, app); got.State() != identity.Active || got.Invalid != 0 {
			t.Errorf("resynchronised, it is %s with %d wrong", got.State(), got.Invalid)
		}
		h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, token, "lost") })
		if err := resynchronise(t, h, token, counted(30), counted(31)); !errors.Is(err, identity.Conflict) {
			t.Errorf("of a revoked one: %v", err)
		}
	})
}

// However the server's clock is changed, no passcode works twice, because a step is used up
// and not a time (attack 21). A phone that is off by 90 s is learned.
//
// Without last_step in UseStep, the same passcode worked again each time.
func TestTLOG14_MovedClocks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		code := passcode(h, a, 0)
		if !tryPasscode(t, h, h.DB, code).OK {
			t.Fatal("refused")
		}
		// Forwards and backwards across the boundary of a step, a leap second, and a change to
		// summer time, which does not affect UTC.
		for _, moved := range []time.Duration{-5 * time.Minute, 5 * time.Minute, -30 * time.Second, 31 * time.Second, -time.Second,
			-time.Hour, time.Hour, -10 * time.Minute, 20 * time.Minute, -10 * time.Minute} {
			h.Clock.Advance(moved)
			if got := tryPasscode(t, h, h.DB, code); got.OK {
				t.Errorf("the clock moved by %v: it worked again", moved)
			}
		}
		h.Clock.Advance(time.Hour)
		for i, tt := range []struct {
			steps int64
			want  Reason
		}{{3, OuterWindow}, {4, ""}, {4, Replayed}, {5, ""}} {
			var first identity.Resync
			if i == 1 {
				first = identity.Resync{Authenticator: a.ID, Step: otp.Step(otp.Params{Period: 30}, h.Clock.Now()) + 3, Drift: 3, Until: h.Clock.Now().Add(time.Minute)}
			}
			var got Result
			h.Do(t, func(tx *store.Tx) (err error) {
				got, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: passcode(h, a, tt.steps),
					Rules: policy.DefaultLockout(), ResyncFirst: first})
				return err
			})
			if got.Reason != tt.want {
				t.Errorf("%d steps ahead: %q, want %q", tt.steps, got.Reason, tt.want)
			}
		}
	})
}

// However it is written, a passcode is the same passcode (CVE-2025-55000): spaces, hyphens
// and digits of other scripts are normalised before it is compared and used up.
//
// With the typed text instead of the canonical one, all but the first were refused.
func TestTLOG12_HoweverItIsWritten(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	code := passcode(h, a, 0)
	spelled := func(zero rune) string {
		var out []rune
		for _, digit := range code {
			out = append(out, zero+digit-'0')
		}
		return string(out)
	}
	for i, typed := range []string{" " + code[:3] + " " + code[3:] + "\t", code, code[:3] + "-" + code[3:], spelled('０'), spelled('٠'), code + "\u00a0"} {
		want := Replayed
		if i == 0 {
			want = ""
		}
		if got := tryPasscode(t, h, h.DB, typed); got.Reason != want {
			t.Errorf("%q: %q, want %q", typed, got.Reason, want)
		}
	}
	if got := row(t, h, a).Invalid; got != 0 {
		t.Errorf("counted %d of them as wrong", got)
	}
}

package authenticator

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

const serverPIN = "4938"

// withServerPIN adds an authenticator with this number of digits, with a PIN that the server
// checks, or without one.
func withServerPIN(t *testing.T, h *storetest.Fixture, digits int, pin string) identity.Authenticator {
	t.Helper()
	a := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-" + identity.NewID(identity.AuthenticatorID),
		Kind: identity.AppToken, Name: "Pixel 9", Seed: []byte("12345678901234567890" + fmt.Sprint(digits, pin)), Digits: digits, Step: 30, ActivatedAt: h.Clock.Now(),
		ServerPIN: pin != ""}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Authenticators().Add(t.Context(), a, h.User.ID); err != nil || pin == "" {
			return err
		}
		return tx.ServerPINs().Set(t.Context(), a.Tenant, a.ID, pin, false, false)
	})
	return a
}

func checkWithPIN(t *testing.T, h *storetest.Fixture, db *store.DB, position, typed string) Result {
	t.Helper()
	rules, pin := policy.DefaultLockout(), policy.DefaultServerPIN()
	pin.Position = position
	var result Result
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
		result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Journey: "jrn_x", Typed: otp.Canonical(typed), Rules: rules, PIN: pin})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return result
}

// What is typed, by the type of the PIN, its position and the length of the passcode (CRED-5,
// SP-14, attack 24). The PIN of the first row ends in the digits that the passcode begins with,
// and vice versa.
func TestCRED5_WhatIsTypedWithAServerPIN(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		arabic := func(s string) string {
			var out []rune
			for _, c := range s {
				out = append(out, c-'0'+'٠')
			}
			return string(out)
		}
		for _, digits := range []int{6, 8} {
			for _, position := range []string{policy.PINBefore, policy.PINAfter} {
				join := func(pin, code string) string {
					if position == policy.PINAfter {
						return code + pin
					}
					return pin + code
				}
				reverse := func(pin, code string) string {
					if position == policy.PINAfter {
						return pin + code
					}
					return code + pin
				}
				for _, tt := range []struct {
					name  string
					pin   string // the authenticator's; none without
					typed func(pin, code string) string
					want  bool
				}{
					{"together", serverPIN, join, true},
					{"with blanks", serverPIN, func(p, c string) string { return join(p, " "+c[:3]+" "+c[3:]+" ") }, true},
					{"in other digits", serverPIN, func(p, c string) string { return arabic(join(p, c)) }, true},
					{"the passcode alone", serverPIN, func(_, c string) string { return c }, false},
					{"the PIN alone", serverPIN, func(p, _ string) string { return p }, false},
					{"a wrong PIN", serverPIN, func(_, c string) string { return join("4939", c) }, false},
					{"a part of the PIN", serverPIN, func(p, c string) string { return join(p[1:], c) }, false},
					{"the PIN twice", serverPIN, func(p, c string) string { return join(p+p, c) }, false},
					{"on the wrong side", serverPIN, reverse, false},
					{"without a PIN, the passcode", "", func(_, c string) string { return c }, true},
					{"without a PIN, with one", "", func(_, c string) string { return join(serverPIN, c) }, false},
				} {
					a := withServerPIN(t, h, digits, tt.pin)
					got := checkWithPIN(t, h, h.DB, position, tt.typed(tt.pin, passcode(h, a, 0)))
					if got.OK != tt.want {
						t.Errorf("%d digits, PIN %s: %s: %+v", digits, position, tt.name, got)
					}
					h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, a, "test") })
				}
				// The digits next to the cut look like those of the other part.
				a := withServerPIN(t, h, digits, "4938")
				code := passcode(h, a, 0)
				adjacent := code[len(code)-2:] + code[:2]
				h.Do(t, func(tx *store.Tx) error {
					return tx.ServerPINs().Set(t.Context(), a.Tenant, a.ID, adjacent, false, false)
				})
				if got := checkWithPIN(t, h, h.DB, position, join(adjacent, code)); !got.OK {
					t.Errorf("%d digits, PIN %s: a PIN like the passcode beside it: %+v", digits, position, got)
				}
				h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, a, "test") })
			}
		}
	})
}

// A right passcode with a wrong PIN counts as wrong, for all counts and every authenticator,
// and is used up. Somebody who saw it typed cannot try PINs with it, and somebody who has the
// phone cannot guess PINs.
//
// Without useUpStep, and with UseStep in its place, this fails.
func TestCRED5_AWrongPINIsAWrongPasscode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, other := withServerPIN(t, h, 6, serverPIN), h.Authenticator(t, "another")
		for i := range int64(3) {
			got := checkWithPIN(t, h, h.DB, policy.PINBefore, "0000"+passcode(h, a, 0))
			if got.OK || got.Reason != Wrong || !got.WrongPIN {
				t.Fatalf("with a wrong PIN: %+v", got)
			}
			if one, two := row(t, h, a).Invalid, row(t, h, other).Invalid; one != i+1 || two != i+1 {
				t.Fatalf("counted %d and %d, want %d", one, two, i+1)
			}
			if got := checkWithPIN(t, h, h.DB, policy.PINBefore, serverPIN+passcode(h, a, 0)); got.OK || got.Reason != Replayed {
				t.Errorf("the same passcode with the right PIN: %+v, want a replay", got)
			}
			h.Clock.Advance(30 * time.Second)
		}
		if got := row(t, h, a); !got.LastUsedAt.IsZero() {
			t.Error("a wrong PIN is a use")
		}
		if got := checkWithPIN(t, h, h.DB, policy.PINBefore, serverPIN+passcode(h, a, 0)); !got.OK || row(t, h, a).Invalid != 0 {
			t.Errorf("a right one after them: %+v", got)
		}
		said := 0
		for _, e := range events(t, h, audit.PasscodeWrong) {
			if e.Data["pin"] == "wrong" {
				said++
			}
		}
		if said != 3 {
			t.Errorf("%d events say that it was the PIN, want 3", said)
		}
		for range limit {
			h.Clock.Advance(30 * time.Second)
			checkWithPIN(t, h, h.DB, policy.PINBefore, "0000"+passcode(h, a, 0))
		}
		if row(t, h, a).State() != identity.Locked {
			t.Error("wrong PINs do not lock")
		}
		h.Clock.Advance(30 * time.Second)
		if got := checkWithPIN(t, h, h.DB, policy.PINBefore, serverPIN+passcode(h, a, 0)); got.OK || got.Reason != Locked {
			t.Errorf("of a locked one: %+v", got)
		}
	})
}

// One passcode with fifty PINs at once on two nodes, including the right one: at most one is
// checked with it, and the passcode is good for at most one login.
func TestCRED5_PINsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := withServerPIN(t, h, 6, serverPIN)
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		code := passcode(h, a, 0)
		var all sync.WaitGroup
		var in atomic.Int32
		for i := range 50 {
			all.Go(func() {
				pin := serverPIN
				if i%2 == 0 {
					pin = fmt.Sprintf("%04d", i)
				}
				if checkWithPIN(t, h, nodes[i/25], policy.PINBefore, pin+code).OK {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() > 1 {
			t.Errorf("%d logins by one passcode", in.Load())
		}
	})
}

// An authenticator with a PIN is resynchronised in the login with the right PIN before both
// passcodes, and not with a wrong one.
func TestCRED10_ResynchronisedWithAServerPIN(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := withServerPIN(t, h, 6, serverPIN)
		if got := checkWithPIN(t, h, h.DB, policy.PINBefore, "1111"+passcode(h, a, 5)); got.Reason != Wrong {
			t.Errorf("far off, and a wrong PIN: %+v", got)
		}
		first := checkWithPIN(t, h, h.DB, policy.PINBefore, serverPIN+passcode(h, a, 5))
		if first.Reason != OuterWindow {
			t.Fatalf("far off: %+v", first)
		}
		second := func(pin string) (result Result) {
			h.Do(t, func(tx *store.Tx) (err error) {
				result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: pin + passcode(h, a, 6),
					Rules: policy.DefaultLockout(), PIN: policy.DefaultServerPIN(), ResyncFirst: first.ResyncFirst})
				return err
			})
			return result
		}
		if got := second("1111"); got.OK {
			t.Errorf("the next one with a wrong PIN: %+v", got)
		}
		if got := second(serverPIN); !got.OK {
			t.Errorf("the next one: %+v", got)
		}
	})
}

// None of the last five PINs can be chosen again, and none that breaks a rule. A PIN set by an
// operator must be changed at its first use.
func TestCRED6_ChoosingAServerPIN(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := withServerPIN(t, h, 6, serverPIN)
		rules := policy.DefaultServerPIN()
		choose := func(pin string, want policy.PINProblem) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) error {
				got, err := ChooseServerPIN(t.Context(), tx, a, rules, pin)
				if got != want {
					t.Errorf("%s is %q, want %q", pin, got, want)
				}
				return err
			})
		}
		choose("1234", policy.PINTrivial)
		choose(serverPIN, policy.PINUsed)
		for _, pin := range []string{"2790", "3790", "5790", "6790"} {
			choose(pin, "")
		}
		choose(serverPIN, policy.PINUsed) // the fifth back
		choose("7790", "")
		choose("2790", policy.PINUsed)
		choose(serverPIN, "") // the sixth
		var first string
		h.Do(t, func(tx *store.Tx) (err error) {
			first, err = ResetServerPIN(t.Context(), tx, a)
			return err
		})
		due, err := h.DB.ServerPINs().ChangeDue(t.Context(), a.Tenant, a.ID)
		if err != nil || !due || rules.Problem(first) != "" {
			t.Errorf("after the operator's %q: due %v, %v", first, due, err)
		}
		shown, err := h.DB.ServerPINs().Initial(t.Context(), a.Tenant, a.ID)
		if err != nil || shown != first {
			t.Errorf("shown %q, %v, want %q", shown, err, first)
		}
		choose(first, policy.PINUsed)
		choose("8790", "")
		if due, err := h.DB.ServerPINs().ChangeDue(t.Context(), a.Tenant, a.ID); err != nil || due {
			t.Errorf("still due after the change, %v", err)
		}
		if shown, err := h.DB.ServerPINs().Initial(t.Context(), a.Tenant, a.ID); err == nil {
			t.Errorf("%q is still to be shown", shown)
		}
	})
}

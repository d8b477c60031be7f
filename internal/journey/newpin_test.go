package journey_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// pinned gives the user an authenticator with a PIN that the server checks, in the
// place of the one there was, and returns the PIN.
func (h *fixture) pinned() (pin string) {
	h.Helper()
	old := h.token
	h.token.ID, h.token.Serial, h.token.ServerPIN = identity.NewID(identity.AuthenticatorID), "LK2", true
	h.do(h.Who, func(tx *store.Tx) (err error) {
		if err := authenticator.Revoke(h.Context(), tx, old, "lost"); err != nil {
			return err
		}
		if err := tx.Authenticators().Add(h.Context(), h.token, h.User.ID); err != nil {
			return err
		}
		pin, err = authenticator.AssignFirstPIN(h.Context(), tx, h.token)
		return err
	})
	return pin
}

func (h *fixture) pins(v *journey.View, typed, again string, at journey.Step, told string) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), v, journey.ChoosePIN{PIN: typed, Again: again})
	v = h.want(v, err, at)
	if v.Journey.Notice != told {
		h.Errorf("told %q, want %q", v.Journey.Notice, told)
	}
	return v
}

// A PIN that was handed out is changed in the first login, after the passcode, and
// nothing of the login is there before that; once, and with no way around it by
// another tab, a push, or a reload (attack 24).
//
// Tried without AskNewPIN in Next: the login was done.
func TestCRED6_TheFirstPINIsChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		first := h.pinned()
		to := func(browser string) *journey.View {
			t.Helper()
			h.Clock.Advance(30 * time.Second)
			v, err := h.take(h.withSession(nowhere), h.toChoice(browser), journey.ChooseMethod{Method: identity.ByPasscode})
			return h.want(v, err, journey.AskPasscode)
		}
		v := h.types(to("a"), h.passcode(0), journey.AskPasscode, "error.passcode.wrong")
		h.Clock.Advance(30 * time.Second)
		v = h.types(v, first+h.passcode(0), journey.AskNewPIN, "")
		if h.grants.Load() != 0 {
			t.Fatal("let in before the PIN was changed")
		}
		if again, err := h.lookAt(v.Journey.ID); err != nil || again.Step != journey.AskNewPIN {
			t.Errorf("after a reload at %v, %v", again.Step, err)
		}
		other := to("b")
		h.types(other, first+h.passcode(0), journey.AskNewPIN, "") // the first one still counts, and still no further
		v = h.pins(v, "4938", "4939", journey.AskNewPIN, "error.pin.different")
		v = h.pins(v, first, first, journey.AskNewPIN, "error.pin.used")
		v = h.pins(v, "1234", "1234", journey.AskNewPIN, "error.pin.trivial")
		v = h.pins(v, "49", "49", journey.AskNewPIN, "error.pin.short")
		h.pins(v, "4٩ 38", "4938", journey.Done, "")
		if h.grants.Load() != 1 {
			t.Errorf("%d grants, want 1", h.grants.Load())
		}
		h.types(to("c"), first+h.passcode(0), journey.AskPasscode, "error.passcode.wrong")
		h.types(to("d"), "4938"+h.passcode(0), journey.Done, "")
		changed := 0
		for _, e := range h.events(audit.AuthenticatorPIN) {
			if e.Reason == "changed" {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%d changes of the PIN are told, want 1", changed)
		}
	})
}

// Who confirms by push for the first time changes the PIN too.
func TestCRED6_TheFirstPINIsChangedAfterAPush(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.pinned()
	client := h.withSession(nowhere)
	v, err := h.take(client, h.toChoice("a"), journey.ChooseMethod{Method: identity.ByPush})
	v = h.want(v, err, journey.WaitForPush)
	h.approve(v.Request.Number)
	if v, err = h.lookAt(v.Journey.ID); err != nil {
		t.Fatal(err)
	}
	v, err = h.take(client, v, journey.Continue{})
	h.pins(h.want(v, err, journey.AskNewPIN), "4938", "4938", journey.Done, "")
}

// Where policy leaves it at the PIN that was handed out, nothing is asked.
func TestCRED6_TheFirstPINMayStay(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	rules := policy.DefaultServerPIN()
	rules.ChangeFirst, rules.Position = false, policy.PINAfter
	h.setPolicy(rules)
	first := h.pinned()
	v, err := h.take(h.withSession(nowhere), h.toChoice("a"), journey.ChooseMethod{Method: identity.ByPasscode})
	h.types(h.want(v, err, journey.AskPasscode), h.passcode(0)+first, journey.Done, "")
	if _, err := h.db.ServerPINs().Initial(t.Context(), h.Tenant.ID, h.token.ID); err == nil {
		t.Error("the PIN is to be shown though it was used")
	}
}

// More digits than a passcode has are a slip of the hand, and a try where anybody
// of the tenant types a PIN: whose name it is makes no difference.
func TestCRED5_WhatCouldBeAPasscode(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.withoutPassword(nil)
	told := func(name, typed string) string {
		t.Helper()
		v, err := h.take(h.withSession(nowhere), h.toPasscode("b"+name+typed, name), journey.EnterPasscode{Passcode: typed})
		return h.want(v, err, journey.AskPasscode).Journey.Notice
	}
	for _, name := range []string{"berit.lie", "nobody"} {
		if got := told(name, "123456789012"); got != "error.passcode.format" {
			t.Errorf("%s, without PINs: %s", name, got)
		}
	}
	h.pinned()
	for _, name := range []string{"berit.lie", "nobody"} {
		for typed, want := range map[string]string{"123456789012": "error.passcode.wrong", "12345": "error.passcode.format",
			"1234567890123456789012345": "error.passcode.format", "4938abcdef": "error.passcode.format"} {
			if got := told(name, typed); got != want {
				t.Errorf("%s, %s: %s, want %s", name, typed, got, want)
			}
		}
	}
}

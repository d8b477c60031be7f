package journey_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A attacker who guesses passcodes for a name locks its owner out of passcodes,
// and of nothing else; and learns neither that there is a lock nor what a right
// one would do (attack 14).
//
// Tried without Paused in Passcode: a right passcode counted as a failed login.
func TestCRED12_TLOG10_AnAttackerLocksPasscodesAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		lockout := policy.DefaultLockout()
		lockout.Count, lockout.MaxWrongPasscodes, lockout.Threshold = policy.CountByUser, 3, 50
		h.setPolicy(lockout)
		client := h.withSession(identity.Session{})
		attacker := func(typed string) string {
			t.Helper()
			v, err := h.take(client, h.toPasscode("attacker", "berit.lie"), journey.EnterPasscode{Passcode: typed})
			return h.want(v, err, journey.AskPasscode).Journey.Notice
		}
		told := attacker("000000")
		for _, typed := range []string{"000000", "000000", "000000", h.passcode(0)} {
			if got := attacker(typed); got != told {
				t.Errorf("%s is answered by %s, want %s", typed, got, told)
			}
		}
		if got := reasons(h.events(audit.PasscodeWrong)); got["wrong"] != 3 || got["passcodes locked"] != 2 {
			t.Errorf("events %v, want three wrong and two not looked at", got)
		}
		if got := h.user(); got.Failures != 3 || got.PasscodesLocked.IsZero() {
			t.Errorf("%d failed logins, passcodes locked until %v", got.Failures, got.PasscodesLocked)
		}
		v, err := h.take(client, h.named("own", "berit.lie", journey.Choose), journey.ChooseMethod{Method: identity.ByPush})
		v = h.want(v, err, journey.WaitForPush)
		h.approve(v.Request.Number)
		if v, err = h.lookAt(v.Journey.ID); err != nil {
			t.Fatal(err)
		}
		v, err = h.take(client, v, journey.Continue{})
		h.want(v, err, journey.Done)
	})
}

// Who proved the password is told that passcodes are locked.
func TestCRED12_AProvedJourneyIsTold(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	lockout := policy.DefaultLockout()
	lockout.Count, lockout.MaxWrongPasscodes = policy.CountByUser, 3
	h.setPolicy(lockout)
	client := h.withSession(identity.Session{})
	v, err := h.take(client, h.toChoice("b"), journey.ChooseMethod{Method: identity.ByPasscode})
	v = h.want(v, err, journey.AskPasscode)
	for range 3 {
		v = h.types(v, "000000", journey.AskPasscode, "error.passcode.wrong")
	}
	v = h.types(v, h.passcode(0), journey.AskPasscode, "error.passcode.paused")
	h.Clock.Advance(time.Minute)
	h.types(v, h.passcode(0), journey.Done, "")
}

// The end of a lock of logins is told at the next login that succeeds, and once
// (attack 26); where an operator ended it, then.
func TestCRED13_TheEndOfALockIsTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		lockout := policy.DefaultLockout()
		lockout.Threshold = 1
		h.setPolicy(lockout)
		client := h.withSession(identity.Session{})
		lock := func(browser string) {
			t.Helper()
			v, err := h.begin(browser, identity.Session{}, nil)
			v = h.want(v, err, journey.Identify)
			v, err = h.take(client, v, journey.EnterName{Name: "berit.lie"})
			v = h.want(v, err, journey.AskPassword)
			for range 2 {
				v, err = h.take(client, v, journey.EnterPassword{Password: "wrong horse"})
				v = h.want(v, err, journey.AskPassword)
			}
		}
		login := func(browser string) {
			t.Helper()
			v, err := h.take(client, h.toChoice(browser), journey.ChooseMethod{Method: identity.ByPasscode})
			v = h.want(v, err, journey.AskPasscode)
			v, err = h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
			h.want(v, err, journey.Done)
		}
		told := func(when string, want int) {
			t.Helper()
			if got := len(h.mails("user-unlocked")); got != want {
				t.Errorf("%s: %d mails, want %d", when, got, want)
			}
		}
		login("own")
		told("without a lock", 0)
		lock("attacker")
		h.Clock.Advance(time.Minute)
		login("own") // where the person is known, and the lock does not hold
		told("while it lasts", 0)
		h.Clock.Advance(15 * time.Minute)
		told("when it is over", 0)
		login("other")
		told("at the next login", 1)
		h.Clock.Advance(time.Minute)
		login("own")
		told("after that", 1)
		lock("attacker")
		if _, err := h.engine.Directory.Unlock(t.Context(), h.Who, h.Tenant.ID, "berit.lie"); err != nil {
			t.Fatal(err)
		}
		told("by an operator", 2)
	})
}

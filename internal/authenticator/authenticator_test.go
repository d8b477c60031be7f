package authenticator

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

const limit = 10

// passcode returns an authenticator's present passcode, or one some steps away.
func passcode(h *storetest.Fixture, a identity.Authenticator, steps int64) string {
	params := otp.Params{Digits: a.Digits, Period: a.Step}
	return otp.HOTP(a.Seed, params, otp.Step(params, h.Clock.Now())+steps)
}

// wrongPasscode returns a passcode of none of the authenticators.
func wrongPasscode(h *storetest.Fixture, all ...identity.Authenticator) string {
	taken := make(map[string]bool)
	for _, a := range all {
		for step := int64(-outerWindow); step <= outerWindow; step++ {
			taken[passcode(h, a, step)] = true
		}
	}
	for _, code := range []string{"000000", "111111", "222222"} {
		if !taken[code] {
			return code
		}
	}
	panic("three passcodes taken of sixty-three")
}

func check(t *testing.T, h *storetest.Fixture, db *store.DB, typed string) Result {
	t.Helper()
	rules := policy.DefaultLockout()
	rules.LookAhead = 0
	var result Result
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		var err error
		result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Journey: "jrn_x", Typed: typed, Rules: rules})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return result
}

func row(t *testing.T, h *storetest.Fixture, a identity.Authenticator) identity.Authenticator {
	t.Helper()
	a, err := h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func events(t *testing.T, h *storetest.Fixture, kind audit.Kind) []audit.Event {
	t.Helper()
	found, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind, Limit: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A passcode works once, whatever the concurrency: a hundred times at once, on
// two nodes (attack 7).
//
// Without last_step in UseStep, a hundred of a hundred worked.
func TestCRED9_TLOG12_PasscodeWorksOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		code := passcode(h, a, 0)
		var won, replayed atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				switch result := check(t, h, nodes[i%2], code); {
				case result.OK:
					won.Add(1)
				case result.Reason == Replayed:
					replayed.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || replayed.Load() != 99 {
			t.Errorf("%d of 100 used the same passcode, %d were replays, want 1 and 99", won.Load(), replayed.Load())
		}
		if got := row(t, h, a).Invalid; got != 0 {
			t.Errorf("replays counted %d, want 0", got)
		}
		if right, wrong := len(events(t, h, audit.PasscodeRight)), len(events(t, h, audit.PasscodeWrong)); right != 1 || wrong != 99 {
			t.Errorf("%d events of success and %d of failure, want 1 and 99", right, wrong)
		}
	})
}

func TestCRED9_TLOG13_OlderThanTheLastIsRefused(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	if !check(t, h, h.DB, passcode(h, a, 0)).OK {
		t.Fatal("the passcode of now was refused")
	}
	if got := check(t, h, h.DB, passcode(h, a, -1)); got.OK || got.Reason != Replayed {
		t.Errorf("the one before it: %v %q, want a replay", got.OK, got.Reason)
	}
	if !check(t, h, h.DB, passcode(h, a, 1)).OK {
		t.Error("the one after it was refused")
	}
}

func TestCRED10_InnerWindowFollowsTheDrift(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	for _, tt := range []struct {
		steps int64
		want  bool
	}{{2, false}, {1, true}, {2, true}, {3, true}, {5, false}} { // each time a step later, by the clock of the app
		h.Clock.Advance(5 * time.Minute)
		if got := check(t, h, h.DB, passcode(h, a, tt.steps)).OK; got != tt.want {
			t.Errorf("a passcode %d steps ahead, drift %d: %v, want %v", tt.steps, row(t, h, a).Drift, got, tt.want)
		}
	}
	if got := row(t, h, a).Drift; got != 3 {
		t.Errorf("drift learned: %d, want 3", got)
	}
}

// The worked example of CRED-11: a limit of ten, two authenticators.
func TestCRED11_TLOG31_WorkedExample(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, b := h.Authenticator(t, "A"), h.Authenticator(t, "B")
		counters := func(when string, wantA, wantB int64) {
			t.Helper()
			if gotA, gotB := row(t, h, a).Invalid, row(t, h, b).Invalid; gotA != wantA || gotB != wantB {
				t.Errorf("%s: A=%d B=%d, want A=%d B=%d", when, gotA, gotB, wantA, wantB)
			}
		}
		for range 9 {
			if check(t, h, h.DB, wrongPasscode(h, a, b)).OK {
				t.Fatal("a wrong passcode was accepted")
			}
		}
		counters("after nine wrong ones", 9, 9)
		if got := check(t, h, h.DB, passcode(h, a, 0)); !got.OK || got.Authenticator.ID != a.ID {
			t.Errorf("A's passcode: %v by %q", got.OK, got.Authenticator.Name)
		}
		counters("after A's", 0, 9)
		got := check(t, h, h.DB, wrongPasscode(h, a, b))
		if len(got.NowLocked) != 1 || got.NowLocked[0].ID != b.ID {
			t.Errorf("the tenth locked %v, want B", got.NowLocked)
		}
		counters("after the tenth", 1, 10)
		if state := row(t, h, b).State(); state != identity.Locked {
			t.Errorf("B is %s, want locked", state)
		}
		h.Clock.Advance(time.Minute)
		if !check(t, h, h.DB, passcode(h, a, 0)).OK {
			t.Error("A's passcode was refused after B was locked")
		}
		if got := check(t, h, h.DB, passcode(h, b, 0)); got.OK || got.Reason != Locked {
			t.Errorf("B's passcode: %v %q, want it refused as locked", got.OK, got.Reason)
		}
		counters("after the locked one's", 0, 10)
		check(t, h, h.DB, wrongPasscode(h, a, b))
		counters("a locked one keeps its count", 1, 10)

		if locked := events(t, h, audit.AuthenticatorLocked); len(locked) != 1 || locked[0].Authenticator != b.ID || locked[0].User != h.User.ID {
			t.Errorf("events of locks: %v, want one, of B", locked)
		}
		reasons := make(map[string]int)
		for _, e := range events(t, h, audit.PasscodeWrong) {
			reasons[e.Reason]++
			if e.Journey != "jrn_x" {
				t.Errorf("an event without its journey: %v", e)
			}
		}
		if reasons[string(Wrong)] != 11 || reasons[string(Locked)] != 1 {
			t.Errorf("reasons of failures: %v, want 11 wrong and 1 locked", reasons)
		}

		h.Do(t, func(tx *store.Tx) error { return Unlock(t.Context(), tx, b) })
		counters("after B was unlocked", 1, 0)
		if !check(t, h, h.DB, passcode(h, b, 0)).OK {
			t.Error("B's passcode was refused after B was unlocked")
		}
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Unlock(t.Context(), tx, b) })
		if !errors.Is(err, identity.Conflict) {
			t.Errorf("unlocking once more: %v, want Conflict", err)
		}
	})
}

// Concurrent wrong passcodes are all counted, and one of them locks (attack 6).
//
// Without the check for the active state in CountInvalid, each counted fifty.
func TestCRED11_ParallelWrongOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, b := h.Authenticator(t, "A"), h.Authenticator(t, "B")
		code := wrongPasscode(h, a, b)
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		var locks atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() { locks.Add(int32(len(check(t, h, nodes[i%2], code).NowLocked))) })
		}
		wg.Wait()
		for _, a := range []identity.Authenticator{row(t, h, a), row(t, h, b)} {
			if a.Invalid != limit || a.State() != identity.Locked {
				t.Errorf("%s after 50 wrong ones: %d, %s, want %d, locked", a.Name, a.Invalid, a.State(), limit)
			}
		}
		if locks.Load() != 2 {
			t.Errorf("%d attempts say they locked one, want 2", locks.Load())
		}
	})
}

// An approval uses up its step, may come with the step used last, and changes no
// count (attack 7).
//
// Without last_step in UseStep and in UseStepSigned, this fails.
func TestPUSH13_PasscodeInAnApproval(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		check(t, h, h.DB, wrongPasscode(h, a))
		approve := func(passcode string) push.Verdict {
			t.Helper()
			var verdict push.Verdict
			h.Do(t, func(tx *store.Tx) error {
				var err error
				verdict, _, err = Approve(t.Context(), tx, a, "", passcode)
				return err
			})
			return verdict
		}
		for _, tt := range []struct {
			name  string
			steps int64
			want  push.Verdict
		}{
			{"the one of now", 0, push.PasscodeRight},
			{"the same again", 0, push.PasscodeRight},
			{"one before it", -1, push.PasscodeWrong},
			{"one far ahead", 5, push.PasscodeTooFar},
			{"one out of reach", 50, push.PasscodeWrong},
		} {
			if got := approve(passcode(h, a, tt.steps)); got != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
			}
		}
		if got := check(t, h, h.DB, passcode(h, a, 0)); got.OK || got.Reason != Replayed {
			t.Errorf("typed after an approval used it: %v %q, want a replay", got.OK, got.Reason)
		}
		if got := row(t, h, a); got.Invalid != 1 || got.LastUsedAt.IsZero() {
			t.Errorf("approvals left the count at %d, last used %v, want 1 and now", got.Invalid, got.LastUsedAt)
		}
		h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, a, "lost") })
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			verdict, _, err := Approve(t.Context(), tx, a, "", passcode(h, a, 1))
			if err == nil && verdict == push.PasscodeRight {
				t.Error("a revoked authenticator approved")
			}
			return err
		})
		if err == nil {
			t.Error("the seed of a revoked authenticator is still there")
		}
	})
}

// A lock or a suspension does not open self-provisioning (attack 15).
//
// Without Locked or Suspended in CountsAsEnrolled, this fails.
func TestENR1_WhatCountsAsHavingOne(t *testing.T) {
	h := storetest.SQLite(t)
	platforms := policy.DefaultPlatforms()
	held := func() summary {
		t.Helper()
		got, err := summarise(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID, platforms, policy.Enter)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := held(); got.Assigned != 0 || got.Latest.ID != "" {
		t.Errorf("nobody's summary: %+v", got)
	}
	a := h.Authenticator(t, "old")
	h.Clock.Advance(time.Hour)
	b := h.Authenticator(t, "new")
	if got := held(); got.Assigned != 2 || got.Passcodes != 2 || len(got.PushTo) != 2 || got.PushTo[0].ID != b.ID || got.Latest.ID != b.ID {
		t.Errorf("two active ones: %+v", got)
	}
	h.Clock.Advance(time.Hour)
	check(t, h, h.DB, passcode(h, a, 0))
	if got := held(); got.PushTo[0].ID != a.ID || got.Latest.ID != a.ID {
		t.Errorf("the one used last is %s, want %s", got.Latest.Name, a.Name)
	}
	for range limit {
		check(t, h, h.DB, wrongPasscode(h, a, b))
	}
	if got := held(); got.Assigned != 2 || got.Passcodes != 0 || len(got.PushTo) != 0 {
		t.Errorf("two locked ones: %+v, want both assigned, none of use", got)
	}
	h.Do(t, func(tx *store.Tx) error {
		if err := Unlock(t.Context(), tx, row(t, h, b)); err != nil {
			return err
		}
		return Suspend(t.Context(), tx, row(t, h, b))
	})
	if got := held(); got.Assigned != 2 || got.Passcodes != 0 || len(got.PushTo) != 0 {
		t.Errorf("one locked, one suspended: %+v, want both assigned, none of use", got)
	}
	h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, a, "operator") })
	if got := held(); got.Assigned != 1 {
		t.Errorf("one locked, one revoked: %+v, want one assigned", got)
	}
	pending := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-P",
		Kind: identity.AppToken, Name: "pending", Seed: []byte("x"), Digits: 6, Step: 30, Template: []byte(`{}`)}
	h.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), pending, h.User.ID) })
	if got := held(); got.Assigned != 1 {
		t.Errorf("a pending one counts: %+v", got)
	}
}

func TestPUSH6_SwitchedOffPlatform(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	set := func(on bool) error {
		return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return SetPush(t.Context(), tx, a, on) })
	}
	if err := set(false); err != nil {
		t.Fatal(err)
	}
	if got := row(t, h, a).Push(h.Clock.Now()); got != identity.PushDisabled {
		t.Errorf("push is %s, want disabled", got)
	}
	if err := set(false); err != nil { // changes nothing
		t.Fatal(err)
	}
	if got := events(t, h, audit.AuthenticatorPush); len(got) != 1 || got[0].Reason != "off" {
		t.Errorf("events: %v, want one, off", got)
	}
	platforms := policy.DefaultPlatforms()
	platforms[identity.Android] = policy.PlatformRule{Allowed: true}
	document, err := policy.Encode(platforms)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindPlatforms, 0, document)
	})
	err = set(true)
	if refusal, ok := errors.AsType[*push.Refusal](err); !ok || refusal.Code != "push-not-allowed" || !errors.Is(err, identity.Forbidden) {
		t.Errorf("push on where the platform gets none: %v, want push-not-allowed", err)
	}
	h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, a, "lost") })
	err = set(false)
	if refusal, ok := errors.AsType[*push.Refusal](err); !ok || refusal.Code != "state" {
		t.Errorf("push of a revoked one: %v, want state", err)
	}
}

// An app with a counter sends a newer counter with each approval. None is accepted
// twice, however fresh its nonce, and one far ahead needs the next one to be typed.
//
// With UseStepSigned for counters too, a counter that another transaction had used
// since the row was read was accepted.
func TestPUSH13_EventBasedIsAlwaysNewer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		a.ID, a.Serial, a.Step = identity.NewID(identity.AuthenticatorID), "counting", 0
		h.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), a, h.User.ID) })
		for _, tt := range []struct {
			counter int64
			want    push.Verdict
		}{{0, push.PasscodeRight}, {0, push.PasscodeWrong}, {2, push.PasscodeRight}, {1, push.PasscodeWrong}, {2, push.PasscodeWrong},
			{60, push.PasscodeTooFar}, {60, push.PasscodeWrong}, {200, push.PasscodeWrong}, {3, push.PasscodeRight}} {
			h.Do(t, func(tx *store.Tx) error {
				a, err := tx.Authenticators().Get(t.Context(), a.Tenant, a.ID)
				if err != nil {
					return err
				}
				seed, err := tx.Authenticators().Seed(t.Context(), a.Tenant, a.ID)
				if err != nil {
					return err
				}
				got, came, err := Approve(t.Context(), tx, a, "", otp.HOTP(seed, otp.Params{}, tt.counter))
				if got != tt.want || got == push.PasscodeTooFar && came.Step != tt.counter {
					t.Errorf("counter %d: verdict %d of %d, want %d", tt.counter, got, came.Step, tt.want)
				}
				if err != nil || got != push.PasscodeRight {
					return err
				}
				if got, _, err = Approve(t.Context(), tx, a, "", otp.HOTP(seed, otp.Params{}, tt.counter)); got != push.PasscodeWrong {
					t.Errorf("counter %d, used since the row was read: verdict %d", tt.counter, got)
				}
				return err
			})
		}
	})
}

// "authenticator unlock" ends the lock of push of its user.
func TestPUSH9_UnlockingAnAuthenticator(t *testing.T) {
	h := storetest.SQLite(t)
	a, b := h.Authenticator(t, "one"), h.Authenticator(t, "two")
	h.Do(t, func(tx *store.Tx) error {
		return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, tx.Now().Add(time.Hour))
	})
	h.Do(t, func(tx *store.Tx) error { return Unlock(t.Context(), tx, row(t, h, a)) })
	if got := row(t, h, b).Push(h.Clock.Now()); got != identity.PushEnabled {
		t.Errorf("the other's push is %s", got)
	}
	err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Unlock(t.Context(), tx, row(t, h, a)) })
	if !errors.Is(err, identity.Conflict) {
		t.Errorf("unlocked once more: %v, want Conflict", err)
	}
}

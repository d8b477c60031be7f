package journey_test

import (
	"errors"
	"fmt"
	"sync"
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

// withoutPassword asks everybody for a one-time password alone, and lets a push
// be sent for a name.
func (h *fixture) withoutPassword(groups map[string]policy.PushSettings) {
	h.Helper()
	h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.SecondFactor}}}})
	rules := policy.DefaultPush()
	rules.BeforePassword, rules.Groups = true, groups
	h.setPolicy(rules)
}

// named begins a journey and identifies.
func (h *fixture) named(browser, name string, step journey.Step) *journey.View {
	h.Helper()
	v, err := h.begin(browser, identity.Session{}, nil)
	v = h.want(v, err, journey.Identify)
	v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterName{Name: name})
	return h.want(v, err, step)
}

func (h *fixture) toPasscode(browser, name string) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(identity.Session{}), h.named(browser, name, journey.Choose), journey.ChooseMethod{Method: identity.ByPasscode})
	return h.want(v, err, journey.AskPasscode)
}

// each runs n tries at once on copies of one view: a page whose form was sent
// n times.
func each(n int, v *journey.View, try func(v *journey.View)) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			mine, j := *v, *v.Journey
			mine.Journey = &j
			try(&mine)
		})
	}
	wg.Wait()
}

func (h *fixture) user() identity.User {
	h.Helper()
	u, err := h.db.Users().Get(h.Context(), h.Tenant.ID, h.User.ID)
	if err != nil {
		h.Fatal(err)
	}
	return u
}

func (h *fixture) lockedUntil() time.Time {
	return h.LockedUntil(h.T, store.FailureCounter{Tenant: h.Tenant.ID, User: h.User.ID})
}

func reasons(events []audit.Event) map[string]int {
	counts := make(map[string]int)
	for _, e := range events {
		counts[e.Reason]++
	}
	return counts
}

// One form sent many times at once moves the journey once. What the others
// tried was evaluated all the same, so it counts, locks and leaves its event.
func TestCRED20_ATryCountsThoughTheJourneyMovedOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		v := h.named("b", "berit.lie", journey.AskPassword)
		try := func(typed string) func(*journey.View) {
			return func(v *journey.View) {
				if _, err := h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: typed}); err != nil && !errors.Is(err, identity.Conflict) {
					t.Error(err)
				}
			}
		}
		each(4, v, try(password))
		if n := h.user().Failures; n != 0 {
			t.Errorf("%d failures after four times the right password, want each to give its own back", n)
		}
		// A form that comes when the journey has moved on already is not evaluated, so that
		// less than ten are in a round. One round is enough on most machines.
		rounds := 0
		for ; h.lockedUntil().IsZero() && rounds < 6; rounds++ {
			v = h.named("b", "berit.lie", journey.AskPassword)
			each(10, v, try("wrong password"))
		}
		if got := reasons(h.events(audit.PasswordWrong)); got["wrong password"] != 6 || rounds == 6 {
			t.Errorf("events of wrong ones in %d rounds: %v, want 6 evaluated, in less than 6 rounds", rounds, got)
		}
		if n := len(h.events(audit.UserLocked)); n != 1 || h.lockedUntil().IsZero() {
			t.Errorf("%d lock events, locked until %v", n, h.lockedUntil())
		}
	})
}

// A check that could not be made is no failure of the person.
func TestCRED20_WhatWasNotEvaluatedIsGivenBack(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	h.User = identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "damaged", Password: "no hash"}
	h.do(h.Who, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), h.User) })
	v := h.named("b", "damaged", journey.AskPassword)
	if _, err := h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password}); err == nil {
		t.Fatal("a damaged hash is no error")
	}
	if n := h.user().Failures; n != 0 {
		t.Errorf("%d failures, want 0", n)
	}
}

// A crash between a try and its outcome leaves it counted. Whoever comes next
// finds a lock that ends.
func TestCRED20_ACrashLeavesNoLockWithoutAnEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		counter := store.FailureCounter{Tenant: h.Tenant.ID, User: h.User.ID}
		for range 6 {
			h.do(h.Who, func(tx *store.Tx) error {
				_, err := tx.Attempts().Reserve(t.Context(), counter, policy.DefaultLockout().Threshold)
				return err
			})
		}
		for round := range 2 {
			v := h.named("b", "berit.lie", journey.AskPassword)
			v, err := h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password})
			h.want(v, err, journey.AskPassword)
			if h.lockedUntil().IsZero() {
				t.Fatalf("round %d: refused without a lock that ends", round)
			}
			h.Clock.Advance(16 * time.Minute)
			h.do(h.Who, func(tx *store.Tx) error { // the one try a lock's end admits crashes too
				ok, err := tx.Attempts().Reserve(t.Context(), counter, policy.DefaultLockout().Threshold)
				if !ok {
					t.Errorf("round %d: no try after the lock's end", round)
				}
				return err
			})
		}
	})
}

// Of 200 wrong passcodes at once, each in a journey and browser of its own, six
// are looked at: five, and the one that exceeds.
func TestTLOG09_ParallelPasscodesEvaluateNoMoreThanTheLimit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		var views []*journey.View
		for i := range 200 {
			views = append(views, h.toPasscode(fmt.Sprint("b", i), "berit.lie"))
		}
		var wg sync.WaitGroup
		for _, v := range views {
			wg.Go(func() {
				if _, err := h.take(h.withSession(identity.Session{}), v, journey.EnterPasscode{Passcode: "000000"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		events, err := store.Collect(h.db.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.PasscodeWrong, Limit: 1000}))
		if err != nil {
			t.Fatal(err)
		}
		if got := reasons(events); got["wrong"] != 6 || got["user locked"] != 194 {
			t.Errorf("events %v, want 6 wrong ones and 194 not evaluated", got)
		}
		if n := h.user().Failures; n != 6 {
			t.Errorf("%d failures, want 6", n)
		}
		if a, err := h.db.Authenticators().Get(t.Context(), h.Tenant.ID, h.token.ID); err != nil || a.Invalid != 6 {
			t.Errorf("the authenticator counts %d, %v; want 6", a.Invalid, err)
		}
		if n := len(h.events(audit.UserLocked)); n != 1 {
			t.Errorf("%d lock events, want 1", n)
		}
	})
}

// An approval asked for before the lock does not open it.
func TestCRED20_AnApprovalDoesNotOpenALock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		client := h.withSession(identity.Session{})
		v, err := h.take(client, h.named("b", "berit.lie", journey.Choose), journey.ChooseMethod{Method: identity.ByPush})
		v = h.want(v, err, journey.WaitForPush)
		other := h.toPasscode("c", "berit.lie")
		for range 6 {
			other, err = h.take(client, other, journey.EnterPasscode{Passcode: "000000"})
			other = h.want(other, err, journey.AskPasscode)
		}
		h.approve(v.Request.Number)
		if v, err = h.lookAt(v.Journey.ID); err != nil {
			t.Fatal(err)
		}
		v, err = h.take(client, v, journey.Continue{})
		if err == nil && v.Step == journey.Done || h.grants.Load() != 0 {
			t.Errorf("logged in while locked: at %v, %d grants", v, h.grants.Load())
		}
		if h.lockedUntil().IsZero() {
			t.Error("the approval ended the lock")
		}
	})
}

func (h *fixture) approve(number string) {
	h.Helper()
	h.do(identity.Principal{Tenant: h.Tenant.ID}, func(tx *store.Tx) error {
		p, err := push.Pending(h.Context(), tx.Reader, h.Tenant.ID, h.User.ID)
		if err != nil {
			return err
		}
		_, err = push.TakeAnswer(h.Context(), tx, h.token, push.Answer{Request: p.ID, Nonce: p.Nonce, Decision: push.Approve, Number: number,
			Passcode: func() (push.Verdict, store.Passcode, error) { return push.PasscodeRight, store.Passcode{}, nil }})
		return err
	})
}

// The journey in which passcodes were guessed until the lock ends with the
// lock: who goes on afterwards begins with the password.
func TestTLOG11_AJourneyDoesNotOutliveItsLock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		limits := policy.DefaultLimits()
		limits.JourneyLifetime = 3600
		h.setPolicy(limits)
		client := h.withSession(identity.Session{})
		v, err := h.take(client, h.toChoice("b"), journey.ChooseMethod{Method: identity.ByPasscode})
		v = h.want(v, err, journey.AskPasscode)
		for range 5 {
			v, err = h.take(client, v, journey.EnterPasscode{Passcode: "000000"})
			v = h.want(v, err, journey.AskPasscode)
		}
		v, err = h.take(client, v, journey.EnterPasscode{Passcode: "000000"})
		v = h.want(v, err, journey.Locked)
		h.Clock.Advance(15 * time.Minute)
		v, err = h.lookAt(v.Journey.ID)
		h.want(v, err, journey.Ended)
	})
}

// Passcodes that are not looked at are tried all the same: operators see them.
func TestCRED11_APasscodeOfNobodyAndWhileLockedIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.withoutPassword(nil)
		client := h.withSession(identity.Session{})
		v, err := h.take(client, h.toPasscode("b", "nobody"), journey.EnterPasscode{Passcode: "123456"})
		h.want(v, err, journey.AskPasscode)
		if got := reasons(h.events(audit.PasscodeWrong)); got["no such user"] != 1 {
			t.Errorf("events %v, want one of no such user", got)
		}
	})
}

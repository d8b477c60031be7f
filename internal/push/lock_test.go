package push

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// ask starts a request in a new journey, and commits whatever the result, as a
// journey does.
func ask(t *testing.T, h *storetest.Fixture, db *store.DB, j *identity.Journey, rules policy.Push) (store.PushRequest, error) {
	t.Helper()
	var p store.PushRequest
	var refused error
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
		p, refused = Start(t.Context(), tx, j, shown, policy.NoPresence, rules)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return p, refused
}

// askAgain starts the next request as soon as it may be sent.
func askAgain(t *testing.T, h *storetest.Fixture) (store.PushRequest, error) {
	t.Helper()
	h.Clock.Advance(15 * time.Second)
	return ask(t, h, h.DB, h.Journey(t, "browser"), policy.DefaultPush())
}

// sent starts this number of requests and expects each to be sent.
func sent(t *testing.T, h *storetest.Fixture, times int) (last store.PushRequest) {
	t.Helper()
	for i := range times {
		var err error
		if last, err = askAgain(t, h); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
	}
	return last
}

// locksNow expects the next request to lock push.
func locksNow(t *testing.T, h *storetest.Fixture) {
	t.Helper()
	if _, err := askAgain(t, h); key(err) != "error.push.locked" {
		t.Fatalf("one too many: %v, want error.push.locked", err)
	}
}

func pushOf(t *testing.T, h *storetest.Fixture, db *store.DB, a identity.Authenticator) (identity.PushState, time.Time) {
	t.Helper()
	a, err := db.Authenticators().Get(t.Context(), a.Tenant, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a.Push(h.Clock.Now()), a.PushLocked
}

// Five requests are sent. The sixth is not, and locks push for an hour for all the
// user's authenticators, including one enrolled later, and across a restart.
//
// Without lockIfTooMany in Start, the sixth was sent. Without the user's lock in the
// authenticators' state, they were enabled.
func TestPUSH9_TheSixthLocks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		phone := h.Authenticator(t, "phone")
		last := sent(t, h, 5)
		locksNow(t, h)
		until := h.Clock.Now().Add(time.Hour)
		if s := look(t, h, last.ID); s.Outcome != store.PushSuperseded {
			t.Errorf("the fifth is %q, want superseded: whoever asked again no longer means it", s.Outcome)
		}
		if n := len(events(t, h, audit.PushChallenge)); n != 5 {
			t.Errorf("%d challenges, want 5", n)
		}
		if got := events(t, h, audit.PushLocked); len(got) != 1 || got[0].User != h.User.ID || got[0].Data["until"] != until.Format(time.RFC3339) {
			t.Errorf("events of the lock: %v", got)
		}
		again := h.Node(t) // a restart
		tablet := h.Authenticator(t, "enrolled during the lock")
		for _, a := range []identity.Authenticator{phone, tablet} {
			if state, end := pushOf(t, h, again, a); state != identity.PushLocked || !end.Equal(until) {
				t.Errorf("%s: %s until %v, want locked until %v", a.Name, state, end, until)
			}
		}
		h.Clock.Advance(time.Hour - time.Second)
		if _, err := ask(t, h, again, h.Journey(t, "another browser"), policy.DefaultPush()); key(err) != "error.push.locked" {
			t.Errorf("a second before its end: %v", err)
		}
		if n := len(events(t, h, audit.PushLocked)); n != 1 {
			t.Errorf("%d events of the lock: who asks during it locks nothing", n)
		}
		h.Clock.Advance(time.Second)
		if state, _ := pushOf(t, h, again, phone); state != identity.PushEnabled {
			t.Errorf("after its end: %s", state)
		}
		sent(t, h, 5)
		locksNow(t, h)
	})
}

// Fifty concurrent starts, on two nodes, never send a sixth request, and one of them
// locks push.
//
// Without HoldPush in Start, a sixth was sent on PostgreSQL, and push was locked
// three times.
func TestPUSH9_FiftyAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		rules := policy.DefaultPush()
		rules.Spacing = 0 // else the first alone would go out
		var journeys []*identity.Journey
		for range 50 {
			journeys = append(journeys, h.Journey(t, "browser"))
		}
		var out, locks atomic.Int32
		var wg sync.WaitGroup
		for i, j := range journeys {
			wg.Go(func() {
				switch _, err := ask(t, h, nodes[i%2], j, rules); key(err) {
				case "":
					out.Add(1)
				case "error.push.locked":
					locks.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if out.Load() != 5 || locks.Load() != 45 || len(events(t, h, audit.PushChallenge)) != 5 || len(events(t, h, audit.PushLocked)) != 1 {
			t.Errorf("%d of 50 sent, %d refused, %d locks; want 5, 45 and 1", out.Load(), locks.Load(), len(events(t, h, audit.PushLocked)))
		}
	})
}

// Only a claimed approval, an hour, or an operator resets the count.
func TestPUSH9_WhatClearsTheCount(t *testing.T) {
	for _, tt := range []struct {
		name    string
		between func(t *testing.T, h *storetest.Fixture, a identity.Authenticator)
		cleared bool
	}{
		{"nothing", func(*testing.T, *storetest.Fixture, identity.Authenticator) {}, false},
		{"a denial", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			p := pending(t, h)
			if _, err := answer(t, h, h.DB, a, Answer{Request: p.ID, Nonce: p.Nonce, Decision: DenyMistake}); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"an approval that nobody claimed", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			if _, err := answer(t, h, h.DB, a, approval(pending(t, h))); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"an approval", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			p := pending(t, h)
			if _, err := answer(t, h, h.DB, a, approval(p)); err != nil {
				t.Fatal(err)
			}
			if _, err := claim(t, h, h.DB, journeyOf(t, h, p), p.ID); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"an operator", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				if locked, err := Unlock(t.Context(), tx, h.Tenant.ID, h.User.ID); locked || err != nil {
					return fmt.Errorf("unlocked what was not: %v, %w", locked, err)
				}
				return nil
			})
		}, true},
		{"an hour", func(_ *testing.T, h *storetest.Fixture, _ identity.Authenticator) { h.Clock.Advance(time.Hour) }, true},
		{"less than an hour", func(_ *testing.T, h *storetest.Fixture, _ identity.Authenticator) { h.Clock.Advance(58 * time.Minute) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				a := h.Authenticator(t, "phone")
				sent(t, h, 5)
				tt.between(t, h, a)
				if !tt.cleared {
					locksNow(t, h)
					return
				}
				sent(t, h, 5)
				locksNow(t, h)
			})
		})
	}
}

// An operator ends a lock, which writes an event.
func TestPUSH9_Unlock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		sent(t, h, 5)
		locksNow(t, h)
		for i, want := range []bool{true, false} {
			h.Do(t, func(tx *store.Tx) error {
				if got, err := Unlock(t.Context(), tx, h.Tenant.ID, h.User.ID); got != want || err != nil {
					t.Errorf("unlocked, time %d: %v, %v, want %v", i+1, got, err, want)
				}
				return nil
			})
		}
		if state, _ := pushOf(t, h, h.DB, a); state != identity.PushEnabled || len(events(t, h, audit.PushUnlocked)) != 1 {
			t.Errorf("push is %s, with %d events", state, len(events(t, h, audit.PushUnlocked)))
		}
		sent(t, h, 5)
	})
}

// A lock refuses an approval that arrives after it.
//
// Without the user's lock in the authenticator's state, it was approved.
func TestPUSH9_NoApprovalDuringALock(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	p := mustStart(t, h, h.Journey(t, "browser"), policy.NoPresence)
	h.Do(t, func(tx *store.Tx) error {
		return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, h.Clock.Now().Add(time.Hour))
	})
	if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != "push-not-allowed" {
		t.Errorf("approved while push is locked: %v", err)
	}
}

func pending(t *testing.T, h *storetest.Fixture) store.PushRequest {
	t.Helper()
	p, err := Pending(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func journeyOf(t *testing.T, h *storetest.Fixture, p store.PushRequest) *identity.Journey {
	t.Helper()
	j, err := h.DB.Journeys().Get(t.Context(), p.Tenant, p.Journey)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// Starting, answering, claiming and unlocking at the same time take the same lock
// first, so that no deadlock occurs.
//
// Without HoldPush in TakeAnswer, some failed on PostgreSQL, because the database
// ended a deadlock.
func TestPUSH9_TurnsAreTakenInOneOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		a := h.Authenticator(t, "phone")
		rules := policy.DefaultPush()
		rules.Spacing = 0
		counter := store.FailureCounter{Tenant: h.Tenant.ID, User: h.User.ID}
		var journeys []*identity.Journey
		for range 40 {
			journeys = append(journeys, h.Journey(t, "browser"))
		}
		var wg sync.WaitGroup
		for i, j := range journeys {
			wg.Go(func() {
				db := nodes[i%2]
				ask(t, h, db, j, rules)
				err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
					p, err := Pending(t.Context(), tx.Reader, h.Tenant.ID, h.User.ID)
					if err != nil {
						return err
					}
					_, err = TakeAnswer(t.Context(), tx, a, Answer{Request: p.ID, Nonce: p.Nonce, Decision: DenyNotMe})
					if err != nil {
						return err
					}
					_, err = tx.Attempts().Reserve(t.Context(), counter, 1000)
					return err
				})
				if errors.Is(err, identity.Unavailable) {
					t.Error(err)
				}
				if err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
					_, err := Unlock(t.Context(), tx, h.Tenant.ID, h.User.ID)
					return err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

package authenticator

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// checkUnder checks a typed passcode under a policy.
func checkUnder(t *testing.T, h *storetest.Fixture, db *store.DB, rules policy.Lockout, typed string) (result Result) {
	t.Helper()
	err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
		result, err = Check(t.Context(), tx, Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Journey: "jrn_x", Typed: typed, Rules: rules})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return result
}

func user(t *testing.T, h *storetest.Fixture) identity.User {
	t.Helper()
	u, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// mails returns the kinds and the recipients of the mails that were queued since the last
// call.
func mails(t *testing.T, h *storetest.Fixture) (waiting []string) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		all, err := tx.Outbox().Lease(t.Context(), "test", tx.Now().AddDate(1, 0, 0), 100)
		for _, m := range all {
			waiting = append(waiting, m.Kind+" "+m.Recipient)
		}
		return err
	})
	slices.Sort(waiting)
	return waiting
}

func setLockout(t *testing.T, h *storetest.Fixture, rules policy.Lockout) {
	t.Helper()
	document, err := policy.Encode(rules)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindLockout, 0, document)
	})
}

// Counted per user, wrong passcodes lock no authenticator, used or unused, but the user's
// passcodes, for longer each time. A right one resets that.
//
// Without locked_until in TryPasscode, a right one was accepted while locked.
func TestCRED12_TLOG31_CountedPerUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, b := h.Authenticator(t, "A"), h.Authenticator(t, "B")
		rules := policy.DefaultLockout()
		rules.Count = policy.CountByUser
		miss := func(times int) {
			t.Helper()
			for range times {
				if got := checkUnder(t, h, h.DB, rules, wrongPasscode(h, a, b)); got.OK || len(got.NowLocked) > 0 {
					t.Fatalf("a wrong passcode: %+v", got)
				}
			}
		}
		miss(limit - 1)
		if got := user(t, h); got.PasscodeFailures != limit-1 || !got.PasscodesLocked.IsZero() {
			t.Errorf("before the limit: %d failures, locked until %v", got.PasscodeFailures, got.PasscodesLocked)
		}
		if !checkUnder(t, h, h.DB, rules, passcode(h, a, 0)).OK {
			t.Fatal("A's passcode was refused")
		}
		if got := checkUnder(t, h, h.DB, rules, passcode(h, a, 0)); got.Reason != Replayed || user(t, h).PasscodeFailures != 0 {
			t.Errorf("a replay: %q, counted %d", got.Reason, user(t, h).PasscodeFailures)
		}
		for i, period := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, time.Hour} {
			miss(limit)
			if got, want := user(t, h).PasscodesLocked, h.Clock.Now().Add(period); !got.Equal(want) {
				t.Errorf("lock %d is until %v, want %v", i+1, got, want)
			}
			h.Clock.Advance(period - time.Second)
			if got := checkUnder(t, h, h.DB, rules, passcode(h, b, 0)); got.OK || got.Reason != PasscodesLocked {
				t.Errorf("lock %d, a right passcode a second before its end: %v %q", i+1, got.OK, got.Reason)
			}
			if got := held(t, h); len(got.PushTo) != 2 || got.Passcodes != 2 {
				t.Errorf("lock %d keeps more than passcodes: %+v", i+1, got)
			}
			h.Clock.Advance(time.Second)
		}
		if !checkUnder(t, h, h.DB, rules, passcode(h, b, 0)).OK { // nobody used it up while it was not looked at
			t.Error("a right passcode was refused after the lock")
		}
		miss(limit)
		if got, want := user(t, h).PasscodesLocked, h.Clock.Now().Add(time.Minute); !got.Equal(want) {
			t.Errorf("the lock after a right one is until %v, want %v", got, want)
		}
		if locks := events(t, h, audit.PasscodesLocked); len(locks) != 6 || locks[0].Journey != "jrn_x" {
			t.Errorf("%d events of locks, want 6", len(locks))
		}
		for _, a := range []identity.Authenticator{row(t, h, a), row(t, h, b)} {
			if a.Invalid != 0 || a.State() != identity.Active {
				t.Errorf("%s: %d wrong, %s", a.Name, a.Invalid, a.State())
			}
		}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Unlock(t.Context(), h.Tenant.ID, h.User.ID) })
		if got := user(t, h); !got.PasscodesLocked.IsZero() {
			t.Errorf("unlocked, and locked until %v", got.PasscodesLocked)
		}
	})
}

func held(t *testing.T, h *storetest.Fixture) summary {
	t.Helper()
	got, err := summarise(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID, policy.DefaultPlatforms(), policy.Enter)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Of many concurrent wrong passcodes, on two nodes, no more are checked than the limit
// allows, and the counts are exact in both modes (attack 6).
//
// Without passcodes_locked_until in TryPasscode's condition, all were checked.
func TestCRED12_TLOG9_ParallelWrongOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a, b := h.Authenticator(t, "A"), h.Authenticator(t, "B")
		rules := policy.DefaultLockout()
		rules.Count = policy.CountByUser
		code := wrongPasscode(h, a, b)
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		var looked, paused atomic.Int32
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				switch checkUnder(t, h, nodes[i%2], rules, code).Reason {
				case Wrong:
					looked.Add(1)
				case PasscodesLocked:
					paused.Add(1)
				}
			})
		}
		wg.Wait()
		if looked.Load() != limit || paused.Load() != 60-limit || len(events(t, h, audit.PasscodesLocked)) != 1 {
			t.Errorf("%d looked at, %d not, %d locks, want %d, %d, 1", looked.Load(), paused.Load(), len(events(t, h, audit.PasscodesLocked)), limit, 60-limit)
		}
	})
}

// The limits hold on another node and after a restart, because they are rows.
func TestTLOG08_CapsOutliveARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "A")
		rules := policy.DefaultLockout()
		nodes := [...]*store.DB{h.DB, h.Node(t)}
		for i := range limit {
			checkUnder(t, h, nodes[i%2], rules, wrongPasscode(h, a))
		}
		if got := checkUnder(t, h, h.Node(t), rules, passcode(h, a, 0)); got.Reason != Locked {
			t.Errorf("after %d wrong ones on two nodes, on a third: %q", limit, got.Reason)
		}
		h.Do(t, func(tx *store.Tx) error { return Unlock(t.Context(), tx, row(t, h, a)) })
		rules.Count = policy.CountByUser
		for i := range limit {
			checkUnder(t, h, nodes[i%2], rules, wrongPasscode(h, a))
		}
		if got := checkUnder(t, h, h.Node(t), rules, passcode(h, a, 0)); got.Reason != PasscodesLocked {
			t.Errorf("the same counted per user: %q", got.Reason)
		}
	})
}

// A lock by wrong passcodes ends once, after the time that policy sets, whoever notices
// first. Its user is notified of both.
//
// Without until in EndPassingLock, it ended at once.
func TestCRED13_LocksEndByThemselves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "phone")
		rules := policy.DefaultLockout()
		rules.UnlockAfter = 600
		lock := func() {
			t.Helper()
			for range limit {
				checkUnder(t, h, h.DB, rules, wrongPasscode(h, a))
			}
			if got := row(t, h, a); got.State() != identity.Locked || !got.UnlocksAt.Equal(h.Clock.Now().Add(10*time.Minute)) {
				t.Fatalf("%s until %v, want locked for ten minutes", got.State(), got.UnlocksAt)
			}
		}
		sweep := func(db *store.DB) (n int) {
			t.Helper()
			err := db.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
				n, err = UnlockLapsed(t.Context(), tx)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return n
		}
		lock()
		h.Clock.Advance(599 * time.Second)
		if n := sweep(h.DB); n != 0 {
			t.Errorf("%d ended before their time", n)
		}
		if got := checkUnder(t, h, h.DB, rules, passcode(h, a, 0)); got.Reason != Locked {
			t.Errorf("a second before its end: %q", got.Reason)
		}
		h.Clock.Advance(time.Second)
		if got := row(t, h, a); got.State() != identity.Active || got.Invalid != 0 {
			t.Errorf("at its end it is read as %s with %d wrong", got.State(), got.Invalid)
		}
		if got := held(t, h); got.Passcodes != 1 || len(got.PushTo) != 1 {
			t.Errorf("at its end: %+v", got)
		}
		if got := checkUnder(t, h, h.DB, rules, passcode(h, a, 0)); !got.OK {
			t.Errorf("its passcode at its end: %q", got.Reason)
		}

		// Again, and this time concurrent callers notice.
		lock()
		h.Clock.Advance(time.Hour)
		other := h.Node(t)
		storetest.Race(t, 20, func(i int) error {
			switch i % 3 {
			case 0:
				sweep(h.DB)
			case 1:
				sweep(other)
			default:
				checkUnder(t, h, other, rules, passcode(h, a, 0))
			}
			return nil
		})
		unlocks := events(t, h, audit.AuthenticatorUnlock)
		if len(unlocks) != 2 || unlocks[0].Reason != "time" || unlocks[0].User != h.User.ID {
			t.Errorf("events: %v, want two, by time", unlocks)
		}
		locked, unlocked := "authenticator-locked "+h.User.Mail, "authenticator-unlocked "+h.User.Mail
		if got, want := mails(t, h), []string{locked, locked, unlocked, unlocked}; !slices.Equal(got, want) {
			t.Errorf("mails %q, want %q", got, want)
		}

		// A lock by an operator, or one from before, does not end with time.
		lock()
		h.Do(t, func(tx *store.Tx) error { return Lock(t.Context(), tx, row(t, h, a)) })
		h.Clock.Advance(time.Hour)
		if got := row(t, h, a); got.State() != identity.Locked || sweep(h.DB) != 0 {
			t.Errorf("an operator's lock: %s", got.State())
		}
	})
}

// An approval counts as soon as the time of the lock is over, though the row does not say so yet.
func TestCRED13_ApprovalAfterALock(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	rules := policy.DefaultLockout()
	rules.UnlockAfter = 600
	for range limit {
		checkUnder(t, h, h.DB, rules, wrongPasscode(h, a))
	}
	for _, tt := range []struct {
		pass time.Duration
		want push.Verdict
	}{{599 * time.Second, push.PasscodeWrong}, {time.Second, push.PasscodeRight}} {
		h.Clock.Advance(tt.pass)
		h.Do(t, func(tx *store.Tx) error {
			got, _, err := Approve(t.Context(), tx, row(t, h, a), "", passcode(h, a, 0))
			if got != tt.want {
				t.Errorf("verdict %d, want %d", got, tt.want)
			}
			return err
		})
	}
}

// Mails about a lock go to those whom policy names, once, however many lock at the same
// time, and finally only to the user.
func TestCRED13_LocksAreTold(t *testing.T) {
	for _, tt := range []struct {
		name            string
		user, operators bool
		want            []string
	}{
		{"user", true, false, []string{"anna@example.org"}},
		{"operators", false, true, []string{"ops@example.org"}},
		{"both", true, true, []string{"anna@example.org", "ops@example.org"}},
		{"nobody", false, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			h.Do(t, func(tx *store.Tx) error {
				return tx.Tenants().SetAlerts(t.Context(), h.Tenant.ID, []string{"ops@example.org"})
			})
			a, b := h.Authenticator(t, "A"), h.Authenticator(t, "B")
			rules := policy.DefaultLockout()
			rules.NotifyUser, rules.NotifyOperators = tt.user, tt.operators
			setLockout(t, h, rules)
			told := func(kind string, want []string) {
				t.Helper()
				var got []string
				for _, mail := range mails(t, h) {
					of, to, _ := strings.Cut(mail, " ")
					if of != kind {
						t.Errorf("a mail of kind %s, want %s", of, kind)
					}
					got = append(got, to)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s to %q, want %q", kind, got, want)
				}
			}
			for range limit {
				checkUnder(t, h, h.DB, rules, wrongPasscode(h, a, b))
			}
			told("authenticator-locked", tt.want)
			h.Do(t, func(tx *store.Tx) error { return Unlock(t.Context(), tx, row(t, h, a)) })
			alone := slices.DeleteFunc(slices.Clone(tt.want), func(to string) bool { return strings.HasPrefix(to, "ops") })
			told("authenticator-unlocked", alone)
			h.Do(t, func(tx *store.Tx) error { return Lock(t.Context(), tx, row(t, h, a)) })
			told("authenticator-locked", alone)
			rules.Count = policy.CountByUser
			for range limit {
				checkUnder(t, h, h.DB, rules, wrongPasscode(h, a, b))
			}
			told("passcodes-locked", tt.want)
		})
	}
}

func addUser(t *testing.T, h *storetest.Fixture, name string) identity.User {
	t.Helper()
	user := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: name, Mail: name + "@example.org"}
	h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), user) })
	return user
}

// setPolicy sets a document.
func setPolicy(t *testing.T, h *storetest.Fixture, d policy.Document) {
	t.Helper()
	document, err := policy.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		row, err := tx.Policies().Get(t.Context(), h.Tenant.ID, d.Kind())
		if err != nil {
			return err
		}
		return tx.Policies().Set(t.Context(), h.Tenant.ID, d.Kind(), row.Version, document)
	})
}

package directory

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

const (
	oldPassword = "correct horse battery"
	newPassword = "vier gelbe Stühle"
)

// withPassword returns the change of a user with a password and two sessions.
func withPassword(t *testing.T, h *storetest.Fixture) (*Directory, PasswordChange) {
	t.Helper()
	d := New(h.DB, 4)
	u, err := d.AddUser(t.Context(), h.Who, h.Tenant.ID, NewUser{Name: "berit", Mail: "berit@example.org", Password: oldPassword})
	if err != nil {
		t.Fatal(err)
	}
	here := identity.NewID(identity.SessionID)
	for _, id := range []string{here, identity.NewID(identity.SessionID)} {
		s := identity.Session{Tenant: h.Tenant.ID, ID: id, UserID: u.ID, Browser: id, CreatedAt: h.Clock.Now(), SeenAt: h.Clock.Now(),
			Idle: time.Hour, ExpiresAt: h.Clock.Now().Add(8 * time.Hour), AuthTime: h.Clock.Now()}
		h.Do(t, func(tx *store.Tx) error { return tx.Sessions().Save(t.Context(), s, identity.NewSecret()) })
	}
	return d, PasswordChange{User: u, Session: here, Old: oldPassword, New: newPassword, EndOthers: true,
		From: templates.Origin{At: h.Clock.Now()}, Who: identity.Principal{Tenant: h.Tenant.ID, Kind: identity.Person, ID: u.ID}}
}

func reload(t *testing.T, h *storetest.Fixture, u identity.User) identity.User {
	t.Helper()
	u, err := h.DB.Users().Get(t.Context(), u.Tenant, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func countSessions(t *testing.T, h *storetest.Fixture, u identity.User) int {
	t.Helper()
	all, err := store.Collect(h.DB.Sessions().OfUser(t.Context(), u.Tenant, u.ID))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// The new password works and the old one does not. Other sessions end if requested, and the
// present one continues. An event and a mail say so.
func TestChangeOwnPassword(t *testing.T) {
	for _, ends := range []bool{true, false} {
		storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
			d, c := withPassword(t, h)
			c.EndOthers = ends
			if err := d.ChangeOwnPassword(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			now := reload(t, h, c.User)
			for password, want := range map[string]bool{oldPassword: false, newPassword: true} {
				if right, err := d.CheckPassword(t.Context(), now, password); right != want || err != nil {
					t.Errorf("%q: %v, %v, want %v", password, right, err, want)
				}
			}
			want := map[bool]int{true: 1, false: 2}[ends]
			if n := countSessions(t, h, now); n != want || now.Failures != 0 {
				t.Errorf("%d sessions, %d failures, want %d, 0", n, now.Failures, want)
			}
			events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.UserChanged}))
			if err != nil || len(events) != 1 || events[0].Data["by"] != "its user" {
				t.Errorf("events %+v, %v", events, err)
			}
			h.Do(t, func(tx *store.Tx) error {
				mails, err := tx.Outbox().Lease(t.Context(), "test", tx.Now().Add(time.Millisecond), 10)
				if len(mails) != 1 || mails[0].Kind != "password-changed" {
					t.Errorf("mails %+v", mails)
				}
				return err
			})
			if err := d.ChangeOwnPassword(t.Context(), c); !errors.Is(err, identity.Conflict) {
				t.Errorf("once more, with a page from before: %v", err)
			}
		})
	}
}

// Wrong passwords count as in a login and lock: of two hundred at once no more are checked than
// the limit allows, and a right one after them is not checked (CRED-20).
//
// Without Reserve, all were checked.
func TestCRED20_ChangingIsNoPlaceToGuess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, c := withPassword(t, h)
		c.Old = "a wrong password"
		var refused, throttled atomic.Int32
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				err := d.ChangeOwnPassword(t.Context(), c)
				switch {
				case errors.Is(err, identity.Invalid):
					refused.Add(1)
				case errors.Is(err, identity.Throttled), errors.Is(err, identity.Unavailable):
					throttled.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if u := reload(t, h, c.User); u.Failures > 6 || refused.Load()+throttled.Load() != 60 || throttled.Load() < 40 {
			t.Errorf("%d counted, %d refused, %d throttled", u.Failures, refused.Load(), throttled.Load())
		}
		h.Clock.Advance(5*time.Minute + time.Second)
		c.Old = oldPassword
		if err := d.ChangeOwnPassword(t.Context(), c); !errors.Is(err, identity.Invalid) {
			t.Errorf("the right one while locked: %v, want invalid", err)
		}
		h.Clock.Advance(time.Hour)
		if err := d.ChangeOwnPassword(t.Context(), c); err != nil {
			t.Errorf("the right one after the lock: %v", err)
		}
	})
}

// A password that must not be chosen is refused before the present one is checked, and does not
// count as an attempt.
func TestChangeOwnPassword_Judged(t *testing.T) {
	h := storetest.SQLite(t)
	d, c := withPassword(t, h)
	c.Old, c.New = "a wrong password", "password1"
	var e *identity.Error
	if err := d.ChangeOwnPassword(t.Context(), c); !errors.As(err, &e) || e.Key != "error.password.common" {
		t.Errorf("%v, want to be told that it is common", err)
	}
	if u := reload(t, h, c.User); u.Failures != 0 {
		t.Errorf("%d failures", u.Failures)
	}
}

// Of concurrent changes from the same page, one succeeds.
//
// Without the hash in ReplacePassword's condition, all did.
func TestChangeOwnPassword_Once(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, c := withPassword(t, h)
		var changed atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				err := d.ChangeOwnPassword(t.Context(), c)
				if err == nil {
					changed.Add(1)
				} else if !errors.Is(err, identity.Conflict) && !errors.Is(err, identity.Invalid) && !errors.Is(err, identity.Unavailable) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if changed.Load() != 1 {
			t.Errorf("changed %d times, want once", changed.Load())
		}
	})
}

// The present password is no new one, however its letters are composed; and that it was
// typed right is no failed attempt. A wrong one is told to be wrong. (Without
// samePassword, it failed.)
func TestOwnPasswordIsAnother(t *testing.T) {
	h := storetest.SQLite(t)
	d, c := withPassword(t, h)
	c.EndOthers = false
	change := func(before, after, want string) {
		t.Helper()
		c.User, c.Old, c.New = reload(t, h, c.User), before, after
		err := d.ChangeOwnPassword(t.Context(), c)
		refused, _ := errors.AsType[*identity.Error](err)
		if got := ""; want != got && (refused == nil || refused.Key != want) || want == got && err != nil {
			t.Errorf("from %q to %q: %v, want %q", before, after, err, want)
		}
	}
	change(oldPassword, oldPassword, "error.password.same")
	change(newPassword, newPassword, "error.password.old")
	if got := reload(t, h, c.User).Failures; got != 1 {
		t.Errorf("%d failures, want that of the wrong password", got)
	}
	change(oldPassword, newPassword, "")
	change(newPassword, "vier gelbe Stu\u0308hle", "error.password.same")
}

package journey_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func (h *fixture) disable() {
	h.Helper()
	if _, err := h.engine.Directory.Disable(h.Context(), h.Who, h.Tenant.ID, "berit.lie"); err != nil {
		h.Fatal(err)
	}
}

// A page on which nothing was proved yet goes on, once its user is disabled, as
// it does for a name nobody has: with the right password, passcode or code, and
// while a push is waited for.
func TestENR4_AJourneyOfADisabledUserGoesOnAsNobodys(t *testing.T) {
	type act = func(h *fixture, client client, v *journey.View) (*journey.View, error)
	for name, tt := range map[string]struct {
		before func(h *fixture)
		at     journey.Step
		until  act // before the user is disabled
		after  []act
	}{
		"password": {func(*fixture) {}, journey.AskPassword, nil, []act{
			func(h *fixture, client client, v *journey.View) (*journey.View, error) {
				return h.take(client, v, journey.EnterPassword{Password: password})
			}}},
		"passcode": {func(h *fixture) { h.withoutPassword(nil) }, journey.Choose,
			func(h *fixture, client client, v *journey.View) (*journey.View, error) {
				return h.take(client, v, journey.ChooseMethod{Method: identity.ByPasscode})
			}, []act{
				func(h *fixture, client client, v *journey.View) (*journey.View, error) {
					return h.take(client, v, journey.EnterPasscode{Passcode: h.passcode(0)})
				}}},
		"push": {func(h *fixture) { h.withoutPassword(nil) }, journey.Choose,
			func(h *fixture, client client, v *journey.View) (*journey.View, error) {
				return h.take(client, v, journey.ChooseMethod{Method: identity.ByPush})
			}, []act{
				func(h *fixture, _ client, v *journey.View) (*journey.View, error) {
					return h.lookAt(v.Journey.ID)
				},
				func(h *fixture, _ client, v *journey.View) (*journey.View, error) {
					h.Clock.Advance(5 * time.Minute)
					return h.lookAt(v.Journey.ID)
				}}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
				h := newFixture(t, empty)
				tt.before(h)
				client := h.withSession(identity.Session{})
				var views [2]*journey.View
				for i, user := range []string{"berit.lie", "nobody"} {
					views[i] = h.named(user, user, tt.at)
					if tt.until != nil {
						var err error
						if views[i], err = tt.until(h, client, views[i]); err != nil {
							t.Fatal(err)
						}
					}
				}
				h.disable()
				var told [2]string
				for n, after := range tt.after {
					for i := range views {
						v, err := after(h, client, views[i])
						if err != nil {
							t.Fatalf("act %d: %v", n, err)
						}
						views[i] = v
						told[i] += fmt.Sprintln(v.Step, v.Journey.Notice, v.Request.Outcome, v.Request.Left, v.Request.Number != "", v.Facts.Disabled, v.Journey.UserID)
					}
				}
				if told[0] != told[1] {
					t.Errorf("a disabled user's page tells\n%snobody's\n%s", told[0], told[1])
				}
			})
		})
	}
}

// Where something was proved, and where a session was opened, disabling ends it
// all in its own transaction (T-LOG-27).
func TestTLOG27_DisablingEndsWhatIsOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		client := h.withSession(identity.Session{})
		waiting, err := h.take(client, h.toChoice("b"), journey.ChooseMethod{Method: identity.ByPush})
		waiting = h.want(waiting, err, journey.WaitForPush)
		secret, session := identity.NewSecret(), identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID),
			UserID: h.User.ID, Browser: "c", AuthTime: h.db.Now(), Idle: time.Hour, ExpiresAt: h.db.Now().Add(time.Hour)}
		h.do(h.Who, func(tx *store.Tx) error { return tx.Sessions().Save(t.Context(), session, secret) })
		live := func() error {
			_, err := h.db.Sessions().BySecret(t.Context(), h.Tenant.ID, secret, "c")
			return err
		}
		if err := live(); err != nil {
			t.Fatal(err)
		}
		h.disable()
		if err := live(); !errors.Is(err, identity.Unauthenticated) {
			t.Errorf("the session: %v, want it to be over", err)
		}
		v, err := h.lookAt(waiting.Journey.ID)
		h.want(v, err, journey.Ended)
		if v.Request.Outcome != store.PushCancelled {
			t.Errorf("the push request is %q, want it cancelled", v.Request.Outcome)
		}
		// And it stays over when the user comes back.
		if _, err := h.engine.Directory.Enable(t.Context(), h.Who, h.Tenant.ID, "berit.lie"); err != nil {
			t.Fatal(err)
		}
		if err := live(); !errors.Is(err, identity.Unauthenticated) {
			t.Errorf("the session after all: %v, want it to be over", err)
		}
		h.proved(h.named("d", "berit.lie", journey.AskPassword), journey.Choose)
	})
}

// Of a login's last step and an operator who disables its user, at the same
// moment on two nodes, either the operator comes first and the login fails, or
// its session ends with the others: no order leaves one open.
func TestTLOG27_NoLoginSlipsPastTheOperator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		operator := h.Node(t)
		operatorFirst := false
		err := h.db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			if _, err := tx.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() {
				done <- operator.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
					_, err := tx.Users().Disable(t.Context(), h.Tenant.ID, h.User.ID)
					return err
				})
			}()
			select { // SQLite lets the operator wait for us; PostgreSQL does not
			case err := <-done:
				if err != nil {
					return err
				}
				operatorFirst = true
			case <-time.After(100 * time.Millisecond):
				t.Cleanup(func() { <-done })
			}
			return tx.Users().RecordLogin(t.Context(), h.Tenant.ID, h.User.ID, "b", false, identity.ByPush)
		})
		if operatorFirst && !errors.Is(err, identity.Forbidden) {
			t.Errorf("a login of a user disabled meanwhile: %v, want Forbidden", err)
		}
		if !operatorFirst && err != nil {
			t.Errorf("a login before its user was disabled: %v", err)
		}
	})
}

// An operator's lock holds where the user is known, and for a right password:
// nothing is evaluated, and the words are those of a wrong one (CRED-13).
func TestCRED13_AnOperatorsLockHoldsInEveryBrowserUntilUnlocked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.do(h.Who, func(tx *store.Tx) error {
			return tx.Users().RecordLogin(t.Context(), h.Tenant.ID, h.User.ID, "known", false, identity.ByPasscode)
		})
		half := h.toChoice("half")
		people := h.engine.Directory
		if u, err := people.Lock(t.Context(), h.Who, h.Tenant.ID, "berit.lie"); err != nil || u.LockedAt.IsZero() {
			t.Fatalf("locked at %s: %v", u.LockedAt, err)
		}
		h.Clock.Advance(10 * time.Minute)
		for _, browser := range []string{"known", "new"} {
			v, err := h.take(h.withSession(identity.Session{}), h.named(browser, "berit.lie", journey.AskPassword), journey.EnterPassword{Password: password})
			if v = h.want(v, err, journey.AskPassword); v.Journey.Notice != "error.login.wrong" {
				t.Errorf("in the %s browser, told %q", browser, v.Journey.Notice)
			}
		}
		v, err := h.lookAt(half.Journey.ID)
		h.want(v, err, journey.Locked)
		if _, err := people.Unlock(t.Context(), h.Who, h.Tenant.ID, "berit.lie"); err != nil {
			t.Fatal(err)
		}
		h.proved(h.named("new", "berit.lie", journey.AskPassword), journey.Choose)
	})
}

// What was passed by a password is void once there is another: a login under
// way is asked again, and the session is over.
func TestAChangedPasswordEndsWhatTheOldOneOpened(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		half := h.toChoice("b")
		h.withPassword("c")
		session := h.last
		live := func() bool {
			all, err := store.Collect(h.db.Sessions().OfUser(t.Context(), h.Tenant.ID, session.UserID))
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(all, func(s identity.Session) bool { return s.ID == session.ID })
		}
		if !live() {
			t.Fatal("there is no session")
		}
		other := "another good password"
		_, err := h.engine.Directory.Change(t.Context(), h.Who, h.Tenant.ID, "berit.lie", directory.Change{Password: &other})
		if err != nil {
			t.Fatal(err)
		}
		v, err := h.lookAt(half.Journey.ID)
		v = h.want(v, err, journey.AskPassword)
		v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: password})
		v = h.want(v, err, journey.AskPassword)
		v, err = h.take(h.withSession(identity.Session{}), v, journey.EnterPassword{Password: other})
		h.want(v, err, journey.Choose)
		if live() {
			t.Error("the session is still live")
		}
	})
}

package directory

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// userWithAlerts returns a user of a tenant whose operators get alerts, in German.
func userWithAlerts(t *testing.T, h *storetest.Fixture) identity.User {
	t.Helper()
	tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other", Language: "de", Alerts: []string{"ops@example.org"}}
	u := identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna", Mail: "anna@example.org", Language: "fr"}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Tenants().Add(t.Context(), tenant); err != nil {
			return err
		}
		return tx.Users().Add(t.Context(), u)
	})
	return u
}

// outbox lists the queued mails as "recipient kind language", and whether each mentions a
// rejection. Each is in words for its reader; without Recipient.Words none is.
func outbox(t *testing.T, h *storetest.Fixture) (mails []string) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		all, err := tx.Outbox().Lease(t.Context(), "test", tx.Now().Add(time.Minute), 10)
		for _, m := range all {
			line := m.Recipient + " " + m.Kind + " " + m.Language
			var locked templates.UserLocked
			if err := json.Unmarshal(m.Arguments, &locked); err != nil {
				return err
			}
			operators := m.Recipient == "ops@example.org"
			if locked.Operators != operators { // every alert has the field
				t.Errorf("%s reads what is for others: %s", m.Recipient, m.Arguments)
			}
			if locked.Rejected != nil {
				line += " and rejected"
				if locked.Rejected.Operators != operators {
					t.Errorf("%s reads what is for others", m.Recipient)
				}
			}
			mails = append(mails, line)
		}
		return err
	})
	slices.Sort(mails)
	return mails
}

// Mails about a rejection go to those whom the alerts name, each in their language. If it locks
// the user, those who are notified of the lock get both in one mail.
func TestPUSH14_RejectionAlerts(t *testing.T) {
	const user, operators = "anna@example.org ", "ops@example.org "
	for _, tt := range []struct {
		name   string
		alerts policy.Alerts
		lock   bool // this rejection is one failure too many
		told   policy.Lockout
		want   []string
	}{
		{"nobody", policy.Alerts{}, false, policy.Lockout{NotifyUser: true, NotifyOperators: true}, nil},
		{"the user", policy.Alerts{User: true}, false, policy.Lockout{}, []string{user + "push-rejected fr"}},
		{"the operators", policy.Alerts{Operators: true}, false, policy.Lockout{}, []string{operators + "push-rejected de"}},
		{"both", policy.Alerts{User: true, Operators: true}, false, policy.Lockout{NotifyUser: true, NotifyOperators: true},
			[]string{user + "push-rejected fr", operators + "push-rejected de"}},
		{"a lock, alerts off", policy.Alerts{}, true, policy.Lockout{NotifyUser: true}, []string{user + "user-locked fr"}},
		{"a lock, one mail", policy.Alerts{User: true}, true, policy.Lockout{NotifyUser: true}, []string{user + "user-locked fr and rejected"}},
		{"a lock, one mail each", policy.Alerts{User: true, Operators: true}, true, policy.Lockout{NotifyUser: true, NotifyOperators: true},
			[]string{user + "user-locked fr and rejected", operators + "user-locked de and rejected"}},
		{"a lock nobody is told of", policy.Alerts{User: true}, true, policy.Lockout{}, []string{user + "push-rejected fr"}},
		{"a lock operators are not told of", policy.Alerts{User: true, Operators: true}, true, policy.Lockout{NotifyUser: true},
			[]string{user + "user-locked fr and rejected", operators + "push-rejected de"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				u := userWithAlerts(t, h)
				rules := policy.DefaultLockout()
				rules.NotifyUser, rules.NotifyOperators = tt.told.NotifyUser, tt.told.NotifyOperators
				counter := store.FailureCounter{Tenant: u.Tenant, User: u.ID}
				failures := 1
				if rules.Threshold = 5; tt.lock {
					rules.Threshold, failures = 1, 2
				}
				h.Do(t, func(tx *store.Tx) error {
					for range failures {
						if _, err := tx.Attempts().Reserve(t.Context(), counter, rules.Threshold); err != nil {
							return err
						}
					}
					p := store.PushRequest{ID: identity.NewID(identity.PushID), Application: "Payroll"}
					return rejectPush(t.Context(), tx, rules, tt.alerts, counter, u, p, templates.Origin{IP: "192.0.2.17", At: tx.Now()})
				})
				if got := outbox(t, h); !slices.Equal(got, tt.want) {
					t.Errorf("mails %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Mails about a lock of push go to the user, and to operators if the alerts say so.
func TestPUSH9_TheLockIsTold(t *testing.T) {
	for _, operators := range []bool{false, true} {
		h := storetest.SQLite(t)
		u := userWithAlerts(t, h)
		h.Do(t, func(tx *store.Tx) error {
			return NotifyPushLocked(t.Context(), tx, policy.Alerts{Operators: operators}, u, tx.Now().Add(time.Hour), templates.Origin{At: tx.Now()})
		})
		want := []string{"anna@example.org push-locked fr"}
		if operators {
			want = append(want, "ops@example.org push-locked de")
		}
		if got := outbox(t, h); !slices.Equal(got, want) {
			t.Errorf("mails %q, want %q", got, want)
		}
	}
}

// "user unlock" ends the lock of push too, in its transaction, with its event.
func TestPUSH9_UnlockingTheUser(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	h.Do(t, func(tx *store.Tx) error {
		return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, tx.Now().Add(time.Hour))
	})
	u, err := New(h.DB, 1).Unlock(t.Context(), h.Who, h.Tenant.ID, h.User.Name)
	if err != nil || !u.PushLockedUntil.IsZero() {
		t.Fatalf("push locked until %v, %v", u.PushLockedUntil, err)
	}
	if a, err = h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID); err != nil || a.Push(h.Clock.Now()) != identity.PushEnabled {
		t.Errorf("the authenticator's push is %s, %v", a.Push(h.Clock.Now()), err)
	}
	if events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.PushUnlocked})); err != nil || len(events) != 1 {
		t.Errorf("events %v, %v, want one", events, err)
	}
}

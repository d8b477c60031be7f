package directory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// Exceeding the threshold locks once, and queues mails to those whom policy names.
func TestCRED13_LockoutIsToldOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules func(*policy.Lockout)
		user  func(*identity.User)
		want  []string
	}{
		{"the user", func(*policy.Lockout) {}, func(*identity.User) {}, []string{"anna@example.org"}},
		{"user and operators", func(l *policy.Lockout) { l.NotifyOperators = true }, func(*identity.User) {}, []string{"anna@example.org", "ops@example.org"}},
		{"operators", func(l *policy.Lockout) { l.NotifyOperators = true }, func(u *identity.User) { u.Mail = "" }, []string{"ops@example.org"}},
		{"nobody at an impossible address", func(*policy.Lockout) {}, func(u *identity.User) { u.Mail = "anna" }, nil},
		{"nobody", func(l *policy.Lockout) { l.NotifyUser = false }, func(*identity.User) {}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "other", Name: "Other", Alerts: []string{"ops@example.org"}}
			user := identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna", Mail: "anna@example.org"}
			tt.user(&user)
			h.Do(t, func(tx *store.Tx) error {
				if err := tx.Tenants().Add(t.Context(), tenant); err != nil {
					return err
				}
				return tx.Users().Add(t.Context(), user)
			})
			rules := policy.DefaultLockout()
			rules.Threshold = 2
			tt.rules(&rules)
			counter := store.FailureCounter{Tenant: tenant.ID, User: user.ID}
			fail := func() (evaluated bool) {
				t.Helper()
				h.Do(t, func(tx *store.Tx) (err error) {
					if evaluated, err = tx.Attempts().Reserve(t.Context(), counter, rules.Threshold); err != nil || !evaluated {
						return err
					}
					return LockIfExceeded(t.Context(), tx, rules, counter, user, "jrn_x", templates.Origin{IP: "192.0.2.17", At: tx.Now()})
				})
				return evaluated
			}
			for i, want := range []bool{true, true, true, false, false} {
				if got := fail(); got != want {
					t.Errorf("failure %d was evaluated: %v, want %v", i+1, got, want)
				}
			}
			if until := h.LockedUntil(t, counter); !until.Equal(h.Clock.Now().Add(15 * time.Minute)) {
				t.Errorf("locked until %v, want in a quarter of an hour", until)
			}
			locks, err := store.Collect(h.DB.Events().List(t.Context(), tenant.ID, store.EventFilter{Kind: audit.UserLocked}))
			if err != nil || len(locks) != 1 || locks[0].Journey != "jrn_x" {
				t.Errorf("events: %v, %v, want one", locks, err)
			}
			var got []string
			h.Do(t, func(tx *store.Tx) error {
				mails, err := tx.Outbox().Lease(t.Context(), "test", tx.Now().Add(time.Minute), 10)
				for _, m := range mails {
					got = append(got, m.Recipient)
					if m.Kind != "user-locked" || !strings.Contains(string(m.Arguments), `"anna"`) {
						t.Errorf("a mail of kind %s: %s", m.Kind, m.Arguments)
					}
				}
				return err
			})
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("mails to %v, want %v", got, tt.want)
			}
		})
	}
}

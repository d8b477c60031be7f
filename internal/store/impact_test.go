package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// Users alike in groups and apps come as one class; the disabled, the revoked
// and what is not switched on are left out.
func TestPUSH5_WaysIn(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		before, err := db.Policies().UserClasses(t.Context(), h.tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		staff := identity.Group{Tenant: h.tenant.ID, ID: identity.NewID(identity.GroupID), Name: "staff"}
		user := func(tx *Tx, name string, group bool, apps ...func(*identity.Authenticator)) error {
			u := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: name}
			if err := tx.Users().Add(t.Context(), u); err != nil {
				return err
			}
			if group {
				if err := tx.Groups().AddMember(t.Context(), h.tenant.ID, staff.ID, u.ID); err != nil {
					return err
				}
			}
			for _, change := range apps {
				a := identity.Authenticator{Tenant: h.tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Kind: identity.AppToken, Name: "phone",
					Platform: identity.IOS, Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, Capabilities: []string{"presence:enter"},
					Template: []byte(`{}`), ActivatedAt: db.Now(), PushOnAt: db.Now()}
				a.Serial = a.ID
				change(&a)
				if err := tx.Authenticators().Add(t.Context(), a, u.ID); err != nil {
					return err
				}
			}
			if strings.HasPrefix(name, "disabled") {
				_, err := tx.Users().Disable(t.Context(), h.tenant.ID, u.ID)
				return err
			}
			return nil
		}
		same := func(*identity.Authenticator) {}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			if err := tx.Groups().Add(t.Context(), staff); err != nil {
				return err
			}
			for _, name := range []string{"one", "two"} {
				if err := user(tx, name, true, same); err != nil {
					return err
				}
			}
			if err := user(tx, "push off", false, func(a *identity.Authenticator) { a.PushOnAt = a.PushOffAt }); err != nil {
				return err
			}
			if err := user(tx, "pending", false, func(a *identity.Authenticator) { a.ActivatedAt = a.LockedAt }); err != nil {
				return err
			}
			if err := user(tx, "two apps", false, same, func(a *identity.Authenticator) { a.Platform = identity.Android }); err != nil {
				return err
			}
			return user(tx, "disabled", true, same)
		}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Policies().UserClasses(t.Context(), h.tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		withPush := func(c policy.UserClass) (n int) {
			for _, a := range c.Authenticators {
				if a.State() == identity.Active && !a.PushOnAt.IsZero() {
					n++
				}
			}
			return n
		}
		count := func(classes []policy.UserClass, group bool, apps int, holds bool) (n int64) {
			for _, c := range classes {
				if slices.Contains(c.Groups, staff.ID) == group && withPush(c) == apps && (len(c.Authenticators) > 0) == holds {
					n += c.Users
				}
			}
			return n
		}
		for _, tt := range []struct {
			name  string
			group bool
			apps  int
			holds bool
			want  int64
		}{
			{"staff with a phone", true, 1, true, 2},
			{"push off", false, 0, true, 1},
			{"pending, or none", false, 0, false, 1},
			{"two apps", false, 2, true, 1},
		} {
			if n := count(got, tt.group, tt.apps, tt.holds) - count(before, tt.group, tt.apps, tt.holds); n != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, n, tt.want)
			}
		}
		for _, c := range got {
			for _, a := range c.Authenticators {
				if a.Platform != identity.IOS && a.Platform != identity.Android || !slices.Equal(a.Capabilities, []string{"presence:enter"}) {
					t.Errorf("an app %+v", a)
				}
			}
		}
	})
}

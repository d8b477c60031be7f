package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// An authenticator two people share is neither's alone: who is removed leaves
// it, and its name, to the other.
func TestRemovalLeavesWhatIsShared(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		other := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: "other"}
		a := identity.Authenticator{Tenant: h.tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-1", Kind: identity.AppToken,
			Name: "Shared phone", Seed: []byte("12345678901234567890"), Template: []byte("{}")}
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			if err := tx.Users().Add(t.Context(), other); err != nil {
				return err
			}
			if err := tx.Authenticators().Add(t.Context(), a, h.user.ID); err != nil {
				return err
			}
			if _, err := tx.exec(t.Context(), "share", `
				INSERT INTO authenticator_users (tenant_id, authenticator_id, user_id) VALUES ($1, $2, $3)`, h.tenant.ID, a.ID, other.ID); err != nil {
				return err
			}
			return tx.Users().Remove(t.Context(), other)
		})
		if err != nil {
			t.Fatal(err)
		}
		if own, err := db.Authenticators().IDsOnlyOfUser(t.Context(), h.tenant.ID, other.ID); err != nil || len(own) != 0 {
			t.Errorf("the removed user's own: %v, %v, want none", own, err)
		}
		if got, err := db.Authenticators().Get(t.Context(), h.tenant.ID, a.ID); err != nil || got.Name != a.Name {
			t.Errorf("the other's authenticator: %q, %v, want %q", got.Name, err, a.Name)
		}
	})
}

// What the transaction of a removal recorded about the user before is erased as well.
// Without the call of writeEvents in Remove, it is written afterwards, with the name.
func TestRemovalErasesItsOwnEvents(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			e := audit.Event{Kind: audit.UserChanged, User: h.user.ID, Personal: map[string]string{"name": h.user.Name}}
			if err := tx.Event(t.Context(), e); err != nil {
				return err
			}
			return tx.Users().Remove(t.Context(), h.user)
		})
		if err != nil {
			t.Fatal(err)
		}
		all, err := Collect(db.Events().List(t.Context(), h.tenant.ID, EventFilter{User: h.user.ID}))
		if err != nil || len(all) != 1 || !all[0].Erased {
			t.Errorf("got %+v, %v, want one event, erased", all, err)
		}
	})
}

// Every table that knows users is either erased or says nothing of a person. A
// new one must be thought of here.
func TestRemovalKnowsEveryTableOfUsers(t *testing.T) {
	silent := map[string]string{
		"users":               "blanked by RemoveUser itself",
		"authenticator_users": "by it an app learns that it was revoked",
		"sessions":            "hashes and times",
		"invitations":         "hashes and times",
	}
	db := open(t, filepath.Join(t.TempDir(), "t.db"))
	snapshot, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	for _, table := range snapshot.Tables {
		erased := slices.ContainsFunc(erasures, func(erase string) bool {
			return strings.HasPrefix(erase, "UPDATE "+table.Name+" ") || strings.HasPrefix(erase, "DELETE FROM "+table.Name+" ")
		})
		if slices.Contains(table.Columns, "user_id") && !erased && silent[table.Name] == "" {
			t.Errorf("removing a user leaves %s as it is; does it tell of the person?", table.Name)
		}
	}
}

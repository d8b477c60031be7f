package authenticator

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/pskc"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func tokens(n int) (keys []pskc.Key) {
	for i := range n {
		keys = append(keys, pskc.Key{Line: i + 2, Serial: fmt.Sprintf("T%05d", i), Seed: []byte("12345678901234567890"), Digits: 6,
			Event: true, Counter: 5, Algorithm: pskc.SHA1, Manufacturer: "Acme"})
	}
	return keys
}

// Imported tokens belong to nobody and are inactive (CRED-14). A repeated import continues
// where it stopped.
func TestCRED14_Import(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		keys := tokens(120)
		n, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, keys[:70], func(int) {})
		if err != nil || n != 70 {
			t.Fatalf("%d imported, %v", n, err)
		}
		fresh, known, err := Importable(t.Context(), h.DB, h.Tenant.ID, keys)
		if err != nil || len(fresh) != 50 || len(known) != 70 {
			t.Fatalf("%d new, %d known, %v", len(fresh), len(known), err)
		}
		if n, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, keys[60:], func(int) {}); !errors.Is(err, identity.Conflict) || n != 0 {
			t.Errorf("a serial that is taken: %d imported, %v", n, err)
		}
		if n, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, fresh, func(int) {}); err != nil || n != 50 {
			t.Errorf("%d imported, %v", n, err)
		}
		all, err := store.Collect(h.DB.Authenticators().Unassigned(t.Context(), h.Tenant.ID))
		if err != nil || len(all) != 120 || all[0].Serial != "T00000" || all[0].State() != identity.Inactive || all[0].LastStep != 4 || all[0].Manufacturer != "Acme" {
			t.Errorf("%d tokens, the first %+v, %v", len(all), all[0], err)
		}
		if seed, err := h.DB.Authenticators().Seed(t.Context(), h.Tenant.ID, all[119].ID); err != nil || string(seed) != "12345678901234567890" {
			t.Errorf("seed %q, %v", seed, err)
		}
		if got := len(events(t, h, audit.AuthenticatorImported)); got != 120 {
			t.Errorf("%d events, want 120", got)
		}
	})
}

// The passcodes of an expired token are not accepted.
//
// Without expired in loadWithSeeds, the second is accepted.
func TestCRED14_ExpiredToken(t *testing.T) {
	h := storetest.SQLite(t)
	key := tokens(1)[0]
	key.ExpiresAt = h.Clock.Now().Add(time.Hour)
	if _, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, []pskc.Key{key}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		a, err := tx.Authenticators().BySerial(t.Context(), h.Tenant.ID, key.Serial)
		if err != nil {
			return err
		}
		_, err = tx.Authenticators().Assign(t.Context(), h.Tenant.ID, a.ID, h.User.ID)
		return err
	})
	code := func(counter int64) string { return otp.HOTP(key.Seed, otp.Params{Digits: 6}, counter) }
	if !check(t, h, h.DB, code(5)).OK {
		t.Error("refused before it is over")
	}
	h.Clock.Advance(time.Hour)
	if check(t, h, h.DB, code(6)).OK {
		t.Error("taken after it is over")
	}
}

func TestCRED14_ImportOutOfTime(t *testing.T) {
	h := storetest.SQLite(t)
	over, early := tokens(1)[0], tokens(1)[0]
	over.ExpiresAt, early.StartsAt = h.Clock.Now(), h.Clock.Now().Add(time.Hour)
	for _, k := range []pskc.Key{over, early} {
		if fresh, _, err := Importable(t.Context(), h.DB, h.Tenant.ID, []pskc.Key{k}); !errors.Is(err, identity.Invalid) || fresh != nil {
			t.Errorf("%v to %v: %v", k.StartsAt, k.ExpiresAt, err)
		}
	}
}

// A file that says for whom its tokens are has them assigned, each with its event and mail.
// Of nobody there is, nothing is imported, and the line is told.
func TestCRED14_ImportForUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		keys := tokens(3)
		keys[1].User, keys[2].User = "Anna.Berg", "nobody"
		_, _, err := Importable(t.Context(), h.DB, h.Tenant.ID, keys)
		problems, _ := errors.AsType[pskc.Problems](err)
		if len(problems) != 1 || problems[0].Line != 4 || problems[0].Serial != "T00002" {
			t.Fatalf("problems: %v", err)
		}
		fresh, _, err := Importable(t.Context(), h.DB, h.Tenant.ID, keys[:2])
		if err != nil || len(fresh) != 2 {
			t.Fatal(fresh, err)
		}
		if n, err := Import(t.Context(), h.DB, h.Who, h.Tenant.ID, fresh, func(int) {}); n != 2 || err != nil {
			t.Fatalf("%d imported, %v", n, err)
		}
		own, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, h.User.ID))
		if err != nil || len(own) != 1 || own[0].Serial != "T00001" || own[0].State() != identity.Active {
			t.Errorf("of the user: %+v, %v", own, err)
		}
		if got := events(t, h, audit.AuthenticatorAssigned); len(got) != 1 || got[0].User != h.User.ID {
			t.Errorf("assigned: %+v", got)
		}
		if free, err := store.Collect(h.DB.Authenticators().Unassigned(t.Context(), h.Tenant.ID)); err != nil || len(free) != 1 {
			t.Errorf("of nobody: %+v, %v", free, err)
		}
	})
}

package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// addPeople adds a tenant with so many users.
func addPeople(t *testing.T, h *storetest.Fixture, slug string, n int) identity.Tenant {
	t.Helper()
	added, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: slug, Name: "Second Hospital"})
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		for i := range n {
			u := identity.User{Tenant: added.ID, ID: identity.NewID(identity.UserID), Name: fmt.Sprint("user", i)}
			if err := errors.Join(tx.Users().Add(t.Context(), u), tx.Event(t.Context(), audit.Event{Tenant: added.ID, Kind: audit.UserAdded, User: u.ID})); err != nil {
				return err
			}
		}
		return nil
	})
	return added
}

// A tenant goes batch by batch, so that others log in meanwhile, and nothing of it stays
// but two events of no tenant. It is out of reach from the first moment on.
func TestRemoveTenant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		const people = 2*removalBatch + 7
		second := addPeople(t, h, "second", people)
		before, err := h.DB.Tenants().Census(t.Context(), h.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		batches := 0
		rows, err := RemoveTenant(t.Context(), h.DB, h.Who, second, func(n int64) {
			if n > removalBatch {
				t.Errorf("%d rows in one transaction, want %d at most", n, removalBatch)
			}
			if batches++; batches == 1 {
				if _, err := h.DB.Tenants().BySlug(t.Context(), "second"); !errors.Is(err, identity.NotFound) {
					t.Errorf("the tenant is found while it is being removed: %v", err)
				}
			}
			// Somebody else's write: it would wait for a transaction that stays open.
			h.Do(t, func(tx *store.Tx) error {
				return tx.Event(t.Context(), audit.Event{Tenant: h.Tenant.ID, Kind: audit.UserChanged})
			})
		})
		if err != nil || rows < 2*people {
			t.Fatalf("%d rows, %v", rows, err)
		}
		if _, err := h.DB.Tenants().Removing(t.Context(), "second"); !errors.Is(err, identity.NotFound) {
			t.Errorf("its row is left: %v", err)
		}
		if after, err := h.DB.Tenants().Census(t.Context(), h.Tenant.ID); err != nil || after != before {
			t.Errorf("the other tenant has %+v, had %+v, %v", after, before, err)
		}
		of := func(tenant string) []audit.Event {
			t.Helper()
			events, err := store.Collect(h.DB.Events().List(t.Context(), tenant, store.EventFilter{Kind: audit.TenantRemoved}))
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(events, func(a, b audit.Event) int { return strings.Compare(a.Reason, b.Reason) }) // the clock stands still
			return events
		}
		if stay := of(""); len(stay) != 2 || stay[0].Data["rows"] != fmt.Sprint(rows) || stay[0].Data["slug"] != "second" || stay[1].Reason != "begun" {
			t.Errorf("events of no tenant: %+v", stay)
		}
		if left := of(second.ID); len(left) != 0 {
			t.Errorf("events of the tenant: %+v", left)
		}
		if _, err := RemoveTenant(t.Context(), h.DB, h.Who, second, func(int64) {}); !errors.Is(err, identity.NotFound) {
			t.Errorf("removed twice: %v", err)
		}
	})
}

// A removal that is interrupted is finished by the next.
func TestRemoveTenant_Interrupted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		second := addPeople(t, h, "second", 3)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := RemoveTenant(ctx, h.DB, h.Who, second, func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		again, err := h.DB.Tenants().Removing(t.Context(), "second")
		if err != nil || again.Name != second.Name {
			t.Fatalf("what was begun: %+v, %v", again, err)
		}
		if _, err := RemoveTenant(t.Context(), h.DB, h.Who, again, func(int64) {}); err != nil {
			t.Fatal(err)
		}
		if _, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: "second", Name: "Third"}); err != nil {
			t.Errorf("the slug is not free: %v", err)
		}
	})
}

// A row that a request under way writes behind the removal goes too. Without a second
// pass its tenant could not be removed, or the row would stay.
func TestRemoveTenant_WhileWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		second := addPeople(t, h, "second", 3)
		tables, err := store.TenantTables()
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		_, err = RemoveTenant(t.Context(), h.DB, h.Who, second, func(int64) {
			if calls++; calls <= len(tables) {
				h.Do(t, func(tx *store.Tx) error {
					return tx.Event(t.Context(), audit.Event{Tenant: second.ID, Kind: audit.LoginFailed})
				})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if left, err := store.Collect(h.DB.Events().List(t.Context(), second.ID, store.EventFilter{})); err != nil || len(left) != 0 {
			t.Errorf("events are left: %+v, %v", left, err)
		}
		if calls <= len(tables) {
			t.Errorf("%d calls, want a second pass over %d tables", calls, len(tables))
		}
	})
}

package store

import (
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Discard takes back what an init made, and nothing of anybody else: not a table that was
// there before, and none at all where there is another tenant. Without the count of the
// others the last case drops it.
func TestDiscard(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		f := newFixture(t, db)
		ours := func() []string {
			t.Helper()
			names, err := db.OwnTables(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return names
		}
		all := ours()
		if used, err := db.Discard(t.Context(), nil, identity.NewID(identity.TenantID)); err != nil || !used {
			t.Fatalf("with another tenant: %t, %v, want that it is used", used, err)
		}
		if left := ours(); !slices.Equal(left, all) {
			t.Fatalf("with another tenant, %v are left of %v", left, all)
		}
		before := []string{"epochs"}
		if used, err := db.Discard(t.Context(), before, f.tenant.ID); err != nil || used {
			t.Fatalf("%t, %v", used, err)
		}
		if left := ours(); !slices.Equal(left, before) {
			t.Errorf("left are %v, want %v", left, before)
		}
	})
}

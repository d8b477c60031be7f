package store

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// What is written after a snapshot was first read from is not seen in it, and the
// writer does not wait for it.
func TestInSnapshot_SeesOneState(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		set := func(version int64) {
			t.Helper()
			err := db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error {
				return tx.Policies().Set(t.Context(), h.tenant.ID, policy.KindDevices, version, []byte(`{}`))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		set(0)
		err := db.InSnapshot(t.Context(), func(r Reader) error {
			for _, when := range []string{"before", "after"} {
				row, err := r.Policies().Get(t.Context(), h.tenant.ID, policy.KindDevices)
				if err != nil || row.Version != 1 {
					t.Errorf("%s a write: version %d, %v, want 1", when, row.Version, err)
				}
				if when == "before" {
					set(1)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if row, err := db.Policies().Get(t.Context(), h.tenant.ID, policy.KindDevices); err != nil || row.Version != 2 {
			t.Errorf("version %d, %v afterwards, want 2", row.Version, err)
		}
	})
}

package store

import (
	"testing"
	"time"
)

// One node at a time has a lease: whoever holds it may renew it, and another
// gets it once it has run out.
func TestLease_HasOneHolder(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		now := time.Now().UTC().Truncate(time.Second)
		db.Reader.now = func() time.Time { return now }
		const term = time.Minute
		lease := func(name, holder string) (mine bool) {
			t.Helper()
			err := db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
				mine, err = tx.Lease(t.Context(), name, holder, tx.Now().Add(term))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return mine
		}
		for _, tt := range []struct {
			name         string
			after        time.Duration
			work, holder string
			want         bool
		}{
			{"the first", 0, "sweeper", "node 1", true},
			{"a second while the first has it", 0, "sweeper", "node 2", false},
			{"the first renews", term - time.Second, "sweeper", "node 1", true},
			{"the second after the first term, which was renewed", 2 * time.Second, "sweeper", "node 2", false},
			{"the second for other work", 0, "metadata", "node 2", true},
			{"the second once it has run out", term, "sweeper", "node 2", true},
			{"the first then", 0, "sweeper", "node 1", false},
		} {
			now = now.Add(tt.after)
			if got := lease(tt.work, tt.holder); got != tt.want {
				t.Errorf("%s: Lease = %v, want %v", tt.name, got, tt.want)
			}
		}
	})
}

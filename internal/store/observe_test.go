package store_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Whoever observes is told of each execution once, whether its statement was
// prepared before or not, and of the rows that it changed.
func TestObserve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "Phone")
		type key struct{}
		ours := context.WithValue(t.Context(), key{}, "ours") // background work has not this context
		var mu sync.Mutex
		var seen []store.Statement
		db, err := store.Open(t.Context(), store.Options{Source: h.Source, Keys: h.Keys, Observe: func(ctx context.Context, s store.Statement) {
			mu.Lock()
			defer mu.Unlock()
			if ctx.Value(key{}) == "ours" {
				seen = append(seen, s)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, try := range []string{"first", "prepared"} {
			for _, tt := range []struct {
				name string
				do   func() error
				want string
			}{
				{"a read", func() error {
					_, err := store.Collect(db.Tenants().All(ours))
					return err
				}, "SELECT"},
				{"a write", func() error {
					return db.InTx(ours, h.Who, func(tx *store.Tx) error {
						return tx.UseOnce(ours, "ten", "jti", try, time.Now().Add(time.Hour))
					})
				}, "BEGIN INSERT+1 COMMIT"},
				{"a write that is taken back", func() error {
					if err := db.InTx(ours, h.Who, func(tx *store.Tx) error {
						return tx.UseOnce(ours, "ten", "jti", try, time.Now().Add(time.Hour))
					}); err == nil {
						t.Error("used twice")
					}
					return nil
				}, "BEGIN INSERT ROLLBACK"},
				{"a write that returns its rows", func() error {
					return db.InTx(ours, h.Who, func(tx *store.Tx) error {
						_, err := tx.Passcodes().CountInvalid(ours, h.Tenant.ID, a.ID, 9, time.Time{})
						return err
					})
				}, "BEGIN UPDATE+1 COMMIT"},
			} {
				seen = nil
				if err := tt.do(); err != nil {
					t.Fatalf("%s, %s: %v", tt.name, try, err)
				}
				var got []string
				for _, s := range seen {
					verb := strings.Fields(s.Query)[0]
					if s.Rows > 0 {
						verb += "+" + string(rune('0'+s.Rows))
					}
					if s.InTx == (verb == "SELECT") || s.Took < 0 || s.Err != nil {
						t.Errorf("%s, %s: %+v", tt.name, try, s)
					}
					got = append(got, verb)
				}
				if !slices.Equal(got, strings.Fields(tt.want)) {
					t.Errorf("%s, %s: observed %v, want %s", tt.name, try, got, tt.want)
				}
			}
		}
	})
}

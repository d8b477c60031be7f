package store_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A connection that ends at any moment of a transaction is a reason to try again, not
// a defect: the error is an Unavailable (QLT-2). (Without classify around notify, the
// first was none.)
func TestQLT2_AConnectionThatEndsIsUnavailable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		if !strings.HasPrefix(h.Source, "postgres") {
			return // SQLite has no connections that others end
		}
		other, err := sql.Open("pgx", h.Source)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		disconnect := func() error {
			_, err := other.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`)
			return err
		}
		for name, f := range map[string]func(tx *store.Tx) error{
			"before it notifies": func(tx *store.Tx) error {
				tx.Notify(store.JourneyTopic("jrn_x"))
				return disconnect()
			},
			"before it commits": func(*store.Tx) error { return disconnect() },
			"before it reads": func(tx *store.Tx) error {
				if err := disconnect(); err != nil {
					return err
				}
				_, err := tx.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
				return err
			},
		} {
			if _, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil {
				t.Fatal(err)
			}
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				if _, err := tx.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil {
					return err
				}
				return f(tx)
			})
			if !errors.Is(err, identity.Unavailable) {
				t.Errorf("%s: %v, want unavailable", name, err)
			}
		}
	})
}

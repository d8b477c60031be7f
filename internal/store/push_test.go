package store

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// The number of a presence check can be shown again after a reload, lies sealed
// until then, and is gone with the request's end (PUSH-19).
func TestJRN16_TheNumberIsSealedUntilTheRequestEnds(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		j := h.journey()
		p := PushRequest{Tenant: h.tenant.ID, ID: identity.NewID(identity.PushID), User: h.user.ID, Journey: j.ID, Browser: "b",
			Presence: policy.Pick, Number: "47", Options: []string{"12", "47", "83"}, Nonce: "n", LoginAt: time.Now(), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}
		do := func(f func(tx *Tx) error) {
			t.Helper()
			if err := db.InTx(t.Context(), h.who, f); err != nil {
				t.Fatal(err)
			}
		}
		do(func(tx *Tx) error {
			if err := tx.Journeys().Add(t.Context(), j); err != nil {
				return err
			}
			_, err := tx.Push().Add(t.Context(), p)
			return err
		})
		column := func(name string) (sealed []byte) {
			t.Helper()
			err := db.pool.QueryRowContext(t.Context(), `SELECT `+name+` FROM push_requests WHERE tenant_id = $1 AND id = $2`, p.Tenant, p.ID).Scan(&sealed)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		for _, name := range []string{"number", "options"} {
			if sealed := column(name); len(sealed) == 0 || bytes.Contains(sealed, []byte("47")) {
				t.Errorf("%s lies there as %q", name, sealed)
			}
		}
		if options, err := db.Push().Options(t.Context(), p.Tenant, p.ID); err != nil || !slices.Equal(options, p.Options) {
			t.Errorf("options %v, %v", options, err)
		}
		for range 2 {
			if number, err := db.Push().Number(t.Context(), p.Tenant, p.ID); err != nil || number != "47" {
				t.Errorf("shown as %q, %v", number, err)
			}
		}
		do(func(tx *Tx) error {
			_, err := tx.Push().End(t.Context(), p.Tenant, p.ID, PushApproved, "")
			return err
		})
		for _, name := range []string{"number", "options"} {
			if sealed := column(name); sealed != nil {
				t.Errorf("after the end %s is still there: %x", name, sealed)
			}
		}
	})
}

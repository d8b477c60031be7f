package store

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// What a message says is sealed while it waits, and gone once it was sent or
// given up: a code stays in the database no longer than it is good for.
func TestOutbox_ArgumentsAreSealedAndWiped(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		arguments := func(id string) (sealed []byte) {
			t.Helper()
			err := db.q.QueryRowContext(t.Context(), `SELECT arguments FROM outbox WHERE tenant_id = $1 AND id = $2`, h.tenant.ID, id).Scan(&sealed)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		for id, end := range map[string]func(tx *Tx, m Message) error{
			"msg_sent":     func(tx *Tx, m Message) error { return tx.Outbox().Sent(t.Context(), m) },
			"msg_given_up": func(tx *Tx, m Message) error { return tx.Outbox().GiveUp(t.Context(), m, "expired") },
		} {
			m := Message{Tenant: h.tenant.ID, ID: id, Kind: "verification-code", Recipient: "anna@example.org",
				Arguments: []byte(`{"code":"314159"}`), Dedupe: id, MessageID: id, ExpiresAt: time.Now().Add(time.Minute)}
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Outbox().Queue(t.Context(), m) })
			if err != nil {
				t.Fatal(err)
			}
			if sealed := arguments(id); sealed == nil || bytes.Contains(sealed, []byte("314159")) {
				t.Errorf("%s waits with its code in clear, or without: %q", id, sealed)
			}
			var leased []Message
			err = db.InTx(t.Context(), h.who, func(tx *Tx) (err error) {
				leased, err = tx.Outbox().Lease(t.Context(), "node", time.Now().Add(time.Minute), 5)
				return err
			})
			if err != nil || len(leased) != 1 || string(leased[0].Arguments) != string(m.Arguments) {
				t.Fatalf("leased %v, %v", leased, err)
			}
			if err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return end(tx, leased[0]) }); err != nil {
				t.Fatal(err)
			}
			if sealed := arguments(id); sealed != nil {
				t.Errorf("%s still has its arguments", id)
			}
		}
	})
}

// Of many nodes that look at the same moment, one gets each message.
func TestOutbox_LeasesRace(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		const rounds, messages = 5, 20
		var mu sync.Mutex
		times := make(map[string]int)
		for range rounds {
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
				for range messages {
					id := identity.NewID(identity.MessageID)
					err := tx.Outbox().Queue(t.Context(), Message{Tenant: h.tenant.ID, ID: id, Kind: "verification-code",
						Dedupe: id, MessageID: id, ExpiresAt: time.Now().Add(time.Hour)})
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for node := range 20 {
				wg.Go(func() {
					err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
						leased, err := tx.Outbox().Lease(t.Context(), string(rune('a'+node)), time.Now().Add(time.Minute), messages)
						mu.Lock()
						defer mu.Unlock()
						for _, m := range leased {
							times[m.ID]++
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s was leased %d times, want once", id, n)
			}
		}
		if len(times) != rounds*messages {
			t.Errorf("%d of %d messages were leased", len(times), rounds*messages)
		}
	})
}

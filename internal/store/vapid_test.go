package store

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// Nodes that start at the same moment have one key, and every start after the
// first finds it. Without ON CONFLICT in makeVAPIDKey all but one fail; without
// the one row that the table can have, each has its own.
func TestPUSH24_OneKeyForTheInstallation(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		if _, err := db.writer.ExecContext(t.Context(), `DELETE FROM vapid_keys`); err != nil {
			t.Fatal(err)
		}
		var nodes, begun sync.WaitGroup
		const several = 8
		begun.Add(several)
		for range several {
			nodes.Go(func() {
				if err := db.InTx(t.Context(), identity.Principal{Kind: identity.System}, func(tx *Tx) error {
					begun.Done()
					if db.writer == db.pool { // on SQLite one transaction waits for the other
						begun.Wait()
					}
					return tx.VAPID().create(t.Context())
				}); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		first, made, err := db.VAPID().Public(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, still, err := db.VAPID().Public(t.Context())
		if err != nil || !bytes.Equal(first, again) || !still.Equal(made) {
			t.Errorf("after another start: %x, %v, want %x", again, err, first)
		}
		key, err := db.VAPID().Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if public, err := key.Public(); err != nil || !bytes.Equal(public, first) {
			t.Errorf("the key is of %x, %v, want %x", public, err, first)
		}
	})
}

// The private key is not in the database (attack 18), nor can one that somebody
// put there be used.
func TestPUSH24_TheKeyIsSealed(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		key, err := db.VAPID().Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secret, err := key.Secret()
		if err != nil {
			t.Fatal(err)
		}
		var sealed []byte
		if err := db.pool.QueryRowContext(t.Context(), `SELECT private FROM vapid_keys`).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, secret) {
			t.Error("the private key can be read in the database")
		}
		for _, change := range []string{`UPDATE vapid_keys SET private = $1`, `UPDATE vapid_keys SET root = root + 1, private = $1`} {
			other := bytes.Clone(sealed)
			other[len(other)-1] ^= 1
			if _, err := db.writer.ExecContext(t.Context(), change, other); err != nil {
				t.Fatal(err)
			}
			if _, err := db.VAPID().Key(t.Context()); err == nil {
				t.Errorf("%s: it opens", change)
			}
		}
	})
}

// Endpoint and secret of a subscription cannot be read in the database, nor can
// one be given to another authenticator.
func TestPUSH24_SubscriptionsAreSealed(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		var ids [2]string
		sub := webpush.Subscription{Endpoint: "https://fcm.googleapis.com/fcm/send/capability", P256DH: []byte("point"), Auth: []byte("0123456789abcdef")}
		if err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			for i := range ids {
				a := identity.Authenticator{Tenant: h.tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: fmt.Sprint("LK-", i), Kind: identity.AppToken,
					Seed: []byte("seed"), Key: []byte(`{}`), Template: []byte(`{}`)}
				if err := tx.Authenticators().Add(t.Context(), a, h.user.ID); err != nil {
					return err
				}
				if _, err := tx.Subscriptions().Set(t.Context(), a.Tenant, a.ID, sub); err != nil {
					return err
				}
				ids[i] = a.ID
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var endpoint, auth []byte
		var host string
		if err := db.pool.QueryRowContext(t.Context(), `SELECT endpoint, auth, host FROM push_subscriptions WHERE authenticator_id = $1`, ids[0]).Scan(&endpoint, &auth, &host); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(endpoint, []byte("capability")) || bytes.Contains(auth, sub.Auth) || host != "fcm.googleapis.com" {
			t.Errorf("endpoint %q, auth %q, host %q", endpoint, auth, host)
		}
		opened := func(id string) (webpush.Subscription, error) {
			p, err := db.Subscriptions().Get(t.Context(), h.tenant.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			return db.Subscriptions().Unseal(t.Context(), p)
		}
		if got, err := opened(ids[1]); err != nil || !got.Equal(sub) {
			t.Errorf("%v, %v", got, err)
		}
		if _, err := db.writer.ExecContext(t.Context(), `UPDATE push_subscriptions SET endpoint = $1 WHERE authenticator_id = $2`, endpoint, ids[1]); err != nil {
			t.Fatal(err)
		}
		if _, err := opened(ids[1]); err == nil {
			t.Error("a subscription moved to another authenticator opens")
		}
	})
}

package backup

import (
	"bytes"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// Browsers stay subscribed after a restore, also if the target is a database in which a server has
// created its own key: it then has the backup's key. Unless the import deletes vapid_keys, the
// restore fails.
func TestPUSH24_BrowsersStaySubscribed(t *testing.T) {
	onDatabasePairs(t, func(t *testing.T, h *storetest.Fixture, target string) {
		a := h.Authenticator(t, "Anna’s phone")
		browser, err := webpush.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		point, err := browser.Public()
		if err != nil {
			t.Fatal(err)
		}
		sub := webpush.Subscription{Endpoint: "https://web.push.apple.com/x", P256DH: point, Auth: []byte("0123456789abcdef")}
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Subscriptions().Set(t.Context(), a.Tenant, a.ID, sub)
			return err
		})
		want, _, err := h.DB.VAPID().Public(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		file := makeBackup(t, h)

		if strings.HasPrefix(target, "postgres://") { // a file would have to be gone first
			server, err := store.Open(t.Context(), store.Options{Source: target, Keys: store.NewKeyring()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			if err := server.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, db := restoreBackup(t, h, file, target)
		key, err := db.VAPID().Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Public(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("key %x, %v, want %x", got, err, want)
		}
		s, err := db.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := db.Subscriptions().Unseal(t.Context(), s); err != nil || !got.Equal(sub) {
			t.Errorf("%v, %v, want %v", got, err, sub)
		}
	})
}

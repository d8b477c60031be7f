package appapi

import (
	"net/http"
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A user who is disabled in the middle of enrolling gets no authenticator: no
// key is registered for an activation that was issued before, no seed is given
// out again to a key that was, and none that is pending becomes active. Only the
// user is disabled here, and the journey stays as it is, so that nothing else
// refuses.
func TestENR9a_ADisabledUserActivatesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		disable := func(u identity.User) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Users().Disable(t.Context(), h.Tenant.ID, u.ID)
				return err
			})
		}
		authenticators := func(u identity.User, want identity.State, n int) {
			t.Helper()
			all, err := store.Collect(h.DB.Authenticators().OfUser(t.Context(), h.Tenant.ID, u.ID))
			if err != nil || len(all) != n || n > 0 && all[0].State() != want {
				t.Errorf("%s has %d authenticators, %v; want %d, %s", u.Name, len(all), err, n, want)
			}
		}
		for name, body := range map[string]func(enroll.Activation) fields{
			"link":       func(shown enroll.Activation) fields { return fields{"secret": shown.Secret} },
			"short code": func(shown enroll.Activation) fields { return fields{"short_code": shown.ShortCode} },
		} {
			user := h.AddUser(t, "by "+name)
			_, shown := h.Issued(t, user)
			disable(user)
			if r := h.newApp(t).call(t, "activate", body(shown)); r.status != http.StatusNotFound || r.code() != "activation" {
				t.Errorf("activate by %s: got %d %q, want 404 activation", name, r.status, r.code())
			}
			authenticators(user, "", 0)
		}

		user := h.AddUser(t, "pending")
		_, shown := h.Issued(t, user)
		a := h.newApp(t)
		a.id = a.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		disable(user)
		if r := a.call(t, "activate", fields{"secret": shown.Secret}); r.status != http.StatusNotFound || r.body["seed"] != nil {
			t.Errorf("activate repeated by the same key: got %d %v, want 404 and no seed", r.status, r.body)
		}
		if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusGone || r.code() != "voided" {
			t.Errorf("finish: got %d %q, want 410 voided", r.status, r.code())
		}
		authenticators(user, identity.Pending, 1)
	})
}

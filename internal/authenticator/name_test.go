package authenticator

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A default name that another of the user's authenticators has gets a number, whatever
// its length; the name of one that was revoked, or that is replaced, is free again.
func TestCRED16_DefaultNamesDoNotCollide(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		long := strings.Repeat("ö", maxName)
		first := h.Authenticator(t, "Chrome, Android")
		h.Authenticator(t, "Chrome, Android (2)")
		h.Authenticator(t, long)
		free := func(name, want string, except ...string) {
			t.Helper()
			got, err := FreeName(t.Context(), h.DB.Reader, h.Tenant.ID, h.User.ID, name, except...)
			if got != want || err != nil {
				t.Errorf("%q: %q, %v, want %q", name, got, err, want)
			}
		}
		free("Firefox, Linux", "Firefox, Linux")
		free("Chrome, Android", "Chrome, Android (3)")
		free("Chrome, Android", "Chrome, Android", first.ID)
		free(long, strings.Repeat("ö", maxName-4)+" (2)")
		h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, first, "lost") })
		free("Chrome, Android", "Chrome, Android")
	})
}

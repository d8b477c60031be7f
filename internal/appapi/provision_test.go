package appapi

import (
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Self-provisioning is for users without an authenticator: what was open ends when
// an operator provisions one.
func TestENR1_HandedOutVoidsWhatIsOpen(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j, shown := h.Issued(t, h.User)
		app := h.newApp(t)
		app.id = app.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		h.Do(t, func(tx *store.Tx) error {
			_, _, err := authenticator.Provision(t.Context(), tx, h.User, authenticator.TokenSpec{Kind: identity.TOTP})
			return err
		})
		if got := app.call(t, "finish", fields{"push": false}); got.code() != "voided" {
			t.Errorf("finish after another was handed out: %d %v, want voided", got.status, got.body)
		}
		if got := h.Shown(t, j).State; got != enroll.Expired {
			t.Errorf("the page says %q, want expired", got)
		}
	})
}

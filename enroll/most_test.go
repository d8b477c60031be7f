package enroll

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/store/storetest"
)

// A user has as many authenticators as policy says and no more, however many come
// at once and by whatever way; half-made and revoked ones do not count.
//
// Tried without NotTooMany in announce: ten came of ten. With it before Enrolled,
// several did on PostgreSQL.
func TestCRED15_NoMoreThanPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		rules := policy.DefaultCredentials()
		rules.Most = 3
		h.setPolicy(t, rules)
		a := h.enrolled(t, h.User, true)
		handOut := func() error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				_, _, err := HandOut(t.Context(), tx, h.User, Handout{Kind: identity.TOTP})
				return err
			})
		}
		won := storetest.Race(t, 10, func(int) error { return handOut() })
		if won != 2 {
			t.Errorf("%d handed out at once, want 2", won)
		}
		if err := handOut(); !errors.Is(err, identity.Conflict) {
			t.Errorf("the fourth: %v, want a conflict", err)
		}
		_, shown := h.issued(t, h.User)
		late := h.newApp(t)
		late.id = late.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		if r := late.call(t, "finish", fields{"push": true}); r.status != 410 || r.code() != "voided" {
			t.Errorf("an app that finishes as the fourth: %d %s, want 410 voided", r.status, r.code())
		}
		a.must(t, "remove", fields{})
		if err := handOut(); err != nil {
			t.Errorf("after one was given up: %v", err)
		}
	})
}

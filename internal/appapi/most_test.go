package appapi

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A user has as many authenticators as policy says and no more, however many come
// at once and by whatever way; half-made and revoked ones do not count.
//
// Tried without MayHave in announce: ten came of ten. With it before Enrolled,
// several did on PostgreSQL.
func TestCRED15_NoMoreThanPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		rules := policy.DefaultCredentials()
		rules.MaxAuthenticators = 3
		h.SetPolicy(t, rules)
		a := h.enrolled(t, h.User, true)
		provision := func() error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				_, _, err := authenticator.Provision(t.Context(), tx, h.User, authenticator.TokenSpec{Kind: identity.TOTP})
				return err
			})
		}
		won := storetest.Race(t, 10, func(int) error { return provision() })
		if won != 2 {
			t.Errorf("%d handed out at once, want 2", won)
		}
		if err := provision(); !errors.Is(err, identity.Conflict) {
			t.Errorf("the fourth: %v, want a conflict", err)
		}
		_, shown := h.Issued(t, h.User)
		late := h.newApp(t)
		late.id = late.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		if r := late.call(t, "finish", fields{"push": true}); r.status != 410 || r.code() != "voided" {
			t.Errorf("an app that finishes as the fourth: %d %s, want 410 voided", r.status, r.code())
		}
		a.must(t, "remove", fields{})
		if err := provision(); err != nil {
			t.Errorf("after one was given up: %v", err)
		}
	})
}

// A kind that policy does not allow is not offered, and not taken however it comes;
// those that exist stay.
//
// Tried without Allows in MayHave: what was begun before was finished.
func TestCRED1_KindsThatPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		there := h.enrolled(t, h.User, true)
		_, shown := h.Issued(t, h.User)
		late := h.newApp(t)
		late.id = late.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		rules := policy.DefaultCredentials()
		rules.Kinds = []identity.AuthenticatorKind{identity.HOTP}
		h.SetPolicy(t, rules)
		if r := late.call(t, "finish", fields{"push": true}); r.status != 410 {
			t.Errorf("an app that was being set up: %d %s, want 410", r.status, r.code())
		}
		for kind, want := range map[identity.AuthenticatorKind]error{identity.TOTP: identity.Conflict, identity.HOTP: nil} {
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				_, _, err := authenticator.Provision(t.Context(), tx, h.User, authenticator.TokenSpec{Kind: kind})
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", kind, err, want)
			}
		}
		if h.state(t, there.id) != identity.Active {
			t.Errorf("the app there was is %s", h.state(t, there.id))
		}
		now, err := enroll.ReadRules(t.Context(), h.DB.Reader, h.Tenant.ID)
		if err != nil || len(now.Platforms.Allowed()) != 0 || now.SelfProvisioning.ThirdParty {
			t.Errorf("offered on %v, third party %v, %v", now.Platforms.Allowed(), now.SelfProvisioning.ThirdParty, err)
		}
	})
}

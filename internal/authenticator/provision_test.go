package authenticator

import (
	"errors"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A provisioned authenticator is active at once, and another implementation of the link's
// parameters makes passcodes that are accepted.
func TestCRED1_HandedOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		h.Do(t, func(tx *store.Tx) error { return tx.Users().AllowEnrollment(t.Context(), h.Tenant.ID, h.User.ID) })
		for i, out := range []TokenSpec{
			{Kind: identity.TOTP},
			{Kind: identity.TOTP, Name: "A fob", Digits: 8, Period: 60, Secret: []byte("12345678901234567890")},
			{Kind: identity.HOTP, Digits: 8},
			{Kind: identity.HOTP, Secret: []byte("01234567890123456789")},
		} {
			var a identity.Authenticator
			var key otp.Key
			h.Do(t, func(tx *store.Tx) (err error) {
				a, key, err = Provision(t.Context(), tx, h.User, out)
				return err
			})
			back := otptest.ReadLink(t, key.URI())
			if back.Account != h.User.Name || back.Issuer != h.Tenant.OrganisationName() || back.Event != (out.Kind == identity.HOTP) {
				t.Errorf("%d: the link reads %+v", i, back)
			}
			kept, err := h.DB.Authenticators().Get(t.Context(), a.Tenant, a.ID)
			if err != nil || kept.State() != identity.Active || kept.Kind != out.Kind || kept.Name == "" {
				t.Errorf("%d: kept %+v, %v", i, kept, err)
			}
			var result Result
			h.Do(t, func(tx *store.Tx) (err error) {
				result, err = Check(t.Context(), tx, Attempt{Tenant: a.Tenant, User: h.User.ID, Typed: otptest.Oathtool(t, back, h.Clock.Now()), Rules: policy.DefaultLockout()})
				return err
			})
			if !result.OK || result.Authenticator.ID != a.ID {
				t.Errorf("%d: oathtool's passcode: %v %q of %q", i, result.OK, result.Reason, result.Authenticator.Serial)
			}
		}
		user, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID)
		if err != nil || user.EverEnrolledAt.IsZero() || !user.EnrollPermitAt.IsZero() {
			t.Errorf("first enrolled %v, leave %v, %v: want the one noted and the other used up", user.EverEnrolledAt, user.EnrollPermitAt, err)
		}
		if added := events(t, h, audit.AuthenticatorAdded); len(added) != 4 || added[0].Data["kind"] == "" || added[0].Data["serial"] == "" {
			t.Errorf("events: %+v", added)
		}
		told := "authenticator-added" + " " + h.User.Mail
		if got := mails(t, h); !slices.Equal(got, []string{told, told, told, told}) {
			t.Errorf("mails: %v, want four that tell the user", got)
		}
	})
}

func TestProvision_Refuses(t *testing.T) {
	h := storetest.SQLite(t)
	for name, out := range map[string]TokenSpec{
		"a kind that is no such thing": {Kind: identity.AppToken},
		"seven digits":                 {Kind: identity.TOTP, Digits: 7},
		"a period nobody has":          {Kind: identity.TOTP, Period: 45},
	} {
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, _, err := Provision(t.Context(), tx, h.User, out)
			return err
		})
		if !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: %v, want an error of kind invalid", name, err)
		}
	}
}

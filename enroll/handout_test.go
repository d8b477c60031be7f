package enroll

import (
	"encoding/hex"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// What is handed out is active at once, and another's implementation of the
// link's parameters makes passcodes that count.
func TestCRED1_HandedOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Do(t, func(tx *store.Tx) error { return tx.AllowEnrollment(t.Context(), h.Tenant.ID, h.User.ID) })
		for i, out := range []Handout{
			{Kind: identity.TOTP},
			{Kind: identity.TOTP, Name: "A fob", Digits: 8, Period: 60, Secret: []byte("12345678901234567890")},
			{Kind: identity.HOTP, Digits: 8},
			{Kind: identity.HOTP, Secret: []byte("01234567890123456789")},
		} {
			var a identity.Authenticator
			var key otp.Key
			h.Do(t, func(tx *store.Tx) (err error) {
				a, key, err = HandOut(t.Context(), tx, h.User, out)
				return err
			})
			back, err := otp.ParseURI(key.URI())
			if err != nil || back.Account != h.User.Name || back.Issuer != h.Tenant.OrganisationName() || back.Event != (out.Kind == identity.HOTP) {
				t.Errorf("%d: the link reads %+v, %v", i, back, err)
			}
			kept, err := h.DB.Authenticator(t.Context(), a.Tenant, a.ID)
			if err != nil || kept.State() != identity.Active || kept.Kind != out.Kind || kept.Name == "" {
				t.Errorf("%d: kept %+v, %v", i, kept, err)
			}
			var result authenticator.Result
			h.Do(t, func(tx *store.Tx) (err error) {
				result, err = authenticator.Check(t.Context(), tx, authenticator.Attempt{Tenant: a.Tenant, User: h.User.ID, Typed: byOathtool(t, h, back), Rules: policy.DefaultLockout()})
				return err
			})
			if !result.OK || result.Authenticator.ID != a.ID {
				t.Errorf("%d: oathtool's passcode: %v %q of %q", i, result.OK, result.Reason, result.Authenticator.Serial)
			}
		}
		user, err := h.DB.User(t.Context(), h.Tenant.ID, h.User.ID)
		if err != nil || user.EverEnrolledAt.IsZero() || !user.MayEnrollAt.IsZero() {
			t.Errorf("first enrolled %v, leave %v, %v: want the one noted and the other used up", user.EverEnrolledAt, user.MayEnrollAt, err)
		}
		if added := h.events(t, h.Tenant.ID, audit.AuthenticatorAdded); len(added) != 4 || added[0].Data["kind"] == "" || added[0].Data["serial"] == "" {
			t.Errorf("events: %+v", added)
		}
		if mails := h.mailed(t); len(mails) != 4 || mails[0].Kind != templates.MailAdded || mails[0].Recipient != h.User.Mail {
			t.Errorf("mails: %+v, want four that tell the user", mails)
		}
	})
}

// byOathtool is the passcode another implementation makes of a key now.
func byOathtool(t *testing.T, h *house, key otp.Key) string {
	t.Helper()
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	args := []string{"--totp", "--time-step-size=" + strconv.FormatInt(key.Params.Period, 10) + "s", "--now=@" + strconv.FormatInt(h.Clock.Now().Unix(), 10)}
	if key.Event {
		args = []string{"--hotp", "--counter=" + strconv.FormatInt(key.Counter, 10)}
	}
	args = append(args, "--digits="+strconv.Itoa(key.Params.Digits), hex.EncodeToString(key.Secret))
	out, err := exec.CommandContext(t.Context(), oathtool, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Self-provisioning is for who has none: what was open ends with the handout.
func TestENR1_HandedOutVoidsWhatIsOpen(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		j, shown := h.issued(t, h.User)
		app := h.newApp(t)
		app.id = app.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
		h.Do(t, func(tx *store.Tx) error {
			_, _, err := HandOut(t.Context(), tx, h.User, Handout{Kind: identity.TOTP})
			return err
		})
		if got := app.call(t, "finish", fields{"push": false}); got.code() != "voided" {
			t.Errorf("finish after another was handed out: %d %v, want voided", got.status, got.body)
		}
		if got := h.shown(t, j).State; got != Expired {
			t.Errorf("the page says %q, want expired", got)
		}
	})
}

func TestHandOut_Refuses(t *testing.T) {
	h := onSQLite(t)
	for name, out := range map[string]Handout{
		"a kind that is no such thing": {Kind: identity.AppToken},
		"seven digits":                 {Kind: identity.TOTP, Digits: 7},
		"a period nobody has":          {Kind: identity.TOTP, Period: 45},
	} {
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, _, err := HandOut(t.Context(), tx, h.User, out)
			return err
		})
		if !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: %v, want an error of kind invalid", name, err)
		}
	}
}

package enroll_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// thirdParty goes through the wizard as far as the page with the secret for
// another vendor's app.
func (h *fixture) thirdParty(t *testing.T) *identity.Journey {
	t.Helper()
	h.Rules.SelfProvisioning.ThirdParty = true
	j := h.StartJourney(t, h.User)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	h.Step(t, j, func(tx *store.Tx) error {
		problem, err := enroll.ChooseThirdParty(t.Context(), tx, j, h.User, h.Rules, "de")
		if problem != "" {
			t.Errorf("ChooseThirdParty: problem %q", problem)
		}
		return err
	})
	return j
}

func (h *fixture) secret(t *testing.T, j *identity.Journey) enroll.ThirdParty {
	t.Helper()
	shown, err := enroll.ShownThirdParty(t.Context(), h.DB.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// key is what an app reads out of the QR code.
func (h *fixture) key(t *testing.T, j *identity.Journey) otp.Key {
	t.Helper()
	return otptest.ReadLink(t, h.secret(t, j).Link("Example Hospital", h.User.Name))
}

func (h *fixture) confirm(t *testing.T, j *identity.Journey, typed string) (problem string) {
	t.Helper()
	h.Step(t, j, func(tx *store.Tx) (err error) {
		problem, err = enroll.ConfirmThirdParty(t.Context(), tx, j, h.User, typed, "Authenticator app")
		return err
	})
	return problem
}

// The whole way: a QR code that stays the same, wrong passcodes that keep all,
// the right one that makes the authenticator and is used up by that.
func TestENR12_FromTheSecretToTheAuthenticator(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.thirdParty(t)
		first := h.secret(t, j)
		key := h.key(t, j)
		if key.Issuer != "Example Hospital" || key.Account != h.User.Name || key.Event || key.Params != (otp.Params{Digits: 6, Period: 30, Algorithm: otp.SHA1}) || len(key.Secret) != 20 {
			t.Errorf("the QR code holds %s by %s, %+v", key.Account, key.Issuer, key.Params)
		}
		typed, err := otp.DecodeSecret(first.Typed())
		if groups := strings.Fields(first.Typed()); err != nil || !bytes.Equal(typed, key.Secret) || len(groups) != 8 || len(groups[0]) != 4 {
			t.Errorf("for typing: %q, %v", first.Typed(), err)
		}
		now := h.Clock.Now()
		for _, tt := range []struct{ typed, want string }{
			{"", "error.passcode.format"},
			{"12345678", "error.passcode.format"},
			{"abcdef", "error.passcode.format"},
			{otp.TOTP(key.Secret, key.Params, now.Add(-5*time.Minute)), "error.confirm.clock"},
			{otp.TOTP(key.Secret, key.Params, now.Add(2*time.Minute)), "error.confirm.clock"},
			{otp.TOTP(key.Secret, key.Params, now.Add(time.Hour)), "error.confirm.wrong"},
		} {
			if got := h.confirm(t, j, tt.typed); got != tt.want {
				t.Errorf("%q: %q, want %q", tt.typed, got, tt.want)
			}
			if got := h.secret(t, j); !bytes.Equal(got.Secret, first.Secret) || len(h.Authenticators(t)) != 0 || j.Enroll != identity.EnrollThirdParty {
				t.Fatalf("%q changed something", tt.typed)
			}
		}

		code := otptest.Oathtool(t, key, h.Clock.Now())
		if problem := h.confirm(t, j, code[:3]+" "+code[3:]); problem != "" {
			t.Fatalf("the right passcode: %q", problem)
		}
		all := h.Authenticators(t)
		if len(all) != 1 || all[0].State() != identity.Active || all[0].Kind != identity.TOTP || all[0].Push(now) != identity.PushNeverEnabled || all[0].Name != "Authenticator app" {
			t.Fatalf("authenticators: %+v", all)
		}
		if j.Enroll != identity.NotEnrolling || j.Has(identity.SecondFactor) || j.Notice != "notice.enrolled.next" {
			t.Errorf("the journey: %q, one-time password %v, %q", j.Enroll, j.Has(identity.SecondFactor), j.Notice)
		}
		if h.secret(t, j).Secret != nil {
			t.Error("the secret is still shown")
		}

		// CRED-9: what confirmed is used up; the next one is not.
		typedAgain := func(code string) (result authenticator.Result) {
			h.Do(t, func(tx *store.Tx) (err error) {
				result, err = authenticator.Check(t.Context(), tx, authenticator.Attempt{Tenant: h.Tenant.ID, User: h.User.ID, Typed: code, Rules: policy.DefaultLockout()})
				return err
			})
			return result
		}
		if got := typedAgain(code); got.OK || got.Reason != authenticator.Replayed {
			t.Errorf("the confirming passcode once more: %v %q, want a replay", got.OK, got.Reason)
		}
		h.Clock.Advance(30 * time.Second)
		if got := typedAgain(otptest.Oathtool(t, key, h.Clock.Now())); !got.OK {
			t.Errorf("the next one: %q", got.Reason)
		}

		// ENR-18: each stage, and the user is told.
		for _, kind := range []audit.Kind{audit.EnrollPlatform, audit.EnrollActivation, audit.EnrollFinished} {
			if got := h.Events(t, h.Tenant.ID, kind); len(got) != 1 || got[0].Journey != j.ID || got[0].Data["platform"] != "third-party" {
				t.Errorf("%s: %+v", kind, got)
			}
		}
		if mails := h.Mails(t); len(mails) != 1 || mails[0].Kind != "authenticator-added" || mails[0].Language != "de" {
			t.Errorf("mails: %+v", mails)
		}
	})
}

// A clock that is a step off is learned by the confirmation, as by any login.
func TestENR12_TheConfirmationTeachesTheDrift(t *testing.T) {
	h := onSQLite(t)
	j := h.thirdParty(t)
	key := h.key(t, j)
	if problem := h.confirm(t, j, otp.TOTP(key.Secret, key.Params, h.Clock.Now().Add(30*time.Second))); problem != "" {
		t.Fatal(problem)
	}
	if got := h.Authenticators(t)[0]; got.Drift != 1 || got.LastStep != otp.Step(key.Params, h.Clock.Now())+1 {
		t.Errorf("drift %d, last step %d", got.Drift, got.LastStep)
	}
}

// Two tabs, or a page and its reload, confirm at once: one authenticator.
// Every one of another vendor's apps has the same name by default.
func TestENR12_DefaultNamesDoNotCollide(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for range 2 {
			j := h.thirdParty(t)
			if problem := h.confirm(t, j, otptest.Oathtool(t, h.key(t, j), h.Clock.Now())); problem != "" {
				t.Fatal(problem)
			}
		}
		all := h.Authenticators(t)
		if len(all) != 2 || all[0].Name == all[1].Name {
			t.Errorf("authenticators %+v", all)
		}
	})
}

func TestENR12_ConfirmedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		j := h.thirdParty(t)
		code := otptest.Oathtool(t, h.key(t, j), h.Clock.Now())
		var made int
		won := storetest.Race(t, 20, func(int) error {
			mine := *j
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				_, err := enroll.ConfirmThirdParty(t.Context(), tx, &mine, h.User, code, "App")
				if err == nil && mine.Enroll != identity.NotEnrolling {
					return identity.Conflict // it came after the one that won
				}
				return err
			})
		})
		if made = len(h.Authenticators(t)); won != 1 || made != 1 {
			t.Errorf("%d confirmed, %d authenticators, want one", won, made)
		}
	})
}

// What voids an activation voids this one, and what is expired is over; nothing
// of either becomes an authenticator (ENR-9a).
func TestENR12_VoidedAndExpired(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for name, over := range map[string]func(j *identity.Journey){
			"expired": func(*identity.Journey) {
				h.Clock.Advance(time.Duration(h.Rules.Limits.ActivationLifetime) * time.Second)
			},
			"cancelled": func(j *identity.Journey) {
				h.Step(t, j, func(tx *store.Tx) error { return enroll.Cancel(t.Context(), tx, j) })
			},
			"begun in another browser": func(*identity.Journey) { h.thirdParty(t) },
			"another platform": func(j *identity.Journey) {
				j.Enroll = identity.EnrollPlatform
				h.Step(t, j, func(tx *store.Tx) error {
					_, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.Android, h.Rules, "en")
					return err
				})
			},
			"a new secret": func(j *identity.Journey) {
				h.Step(t, j, func(tx *store.Tx) error { return enroll.IssueThirdParty(t.Context(), tx, j, h.User, h.Rules, "en") })
			},
			"swept": func(*identity.Journey) {
				h.Clock.Advance(time.Hour)
				h.Do(t, func(tx *store.Tx) error { _, err := enroll.Sweep(t.Context(), tx); return err })
			},
		} {
			j := h.thirdParty(t)
			key := h.key(t, j)
			over(j)
			if shown := h.secret(t, j); bytes.Equal(shown.Secret, key.Secret) {
				t.Errorf("%s: the secret is still shown", name)
			}
			j.Enroll, j.Code.PassedAt = identity.EnrollThirdParty, h.Clock.Now()
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				_, err := enroll.ConfirmThirdParty(t.Context(), tx, j, h.User, otptest.Oathtool(t, key, h.Clock.Now()), "App")
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := h.Authenticators(t); len(got) != 0 {
				t.Fatalf("%s: there is %+v", name, got)
			}
		}
	})
}

// Where the tenant does not allow it, and before the mailed code, nothing is
// issued, whatever form is posted.
func TestENR12_Guarded(t *testing.T) {
	h := onSQLite(t)
	j := h.StartJourney(t, h.User)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	h.Step(t, j, func(tx *store.Tx) error {
		problem, err := enroll.ChooseThirdParty(t.Context(), tx, j, h.User, h.Rules, "en")
		if problem != "error.platform.missing" || j.Enroll != identity.EnrollPlatform {
			t.Errorf("not allowed: %q at %q", problem, j.Enroll)
		}
		return err
	})
	h.Rules.SelfProvisioning.ThirdParty = true
	j.Code.PassedAt = time.Time{}
	for name, act := range map[string]func(tx *store.Tx) error{
		"issue": func(tx *store.Tx) error { return enroll.IssueThirdParty(t.Context(), tx, j, h.User, h.Rules, "en") },
		"confirm": func(tx *store.Tx) error {
			_, err := enroll.ConfirmThirdParty(t.Context(), tx, j, h.User, "123456", "App")
			return err
		},
	} {
		if err := h.DB.InTx(t.Context(), h.Who, act); !errors.Is(err, identity.Conflict) {
			t.Errorf("%s without the mailed code: %v, want a conflict", name, err)
		}
	}
}

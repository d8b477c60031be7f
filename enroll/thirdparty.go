package enroll

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Another vendor's app takes a secret out of a QR code and makes passcodes of
// it; it has no key, knows no push and tells us nothing (ENR-12). So there is
// nothing pending: the secret stays sealed with its activation, for the page to
// show it again, until one passcode proves that an app holds it. That passcode
// makes the authenticator, in one transaction, and what voids or expires an
// activation ends this one like any other.

// usual is how every app makes passcodes: what else a link could ask for, some
// take and silently make other passcodes.
var usual = otp.Params{Digits: 6, Period: 30, Algorithm: otp.SHA1}

// Windows of the confirming passcode, in steps either way. One in the outer
// window is right by a clock that is off.
const (
	confirmed = 1
	clockOff  = 10
)

// ChooseThirdParty takes the person's choice of another vendor's app and issues
// a secret for it, in place of whatever the user has open. problem is the locale
// key of what to tell the person where the tenant does not allow it.
func ChooseThirdParty(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, rules Rules, lang string) (problem string, err error) {
	if !rules.SelfProvisioning.ThirdParty {
		return "error.platform.missing", nil
	}
	err = tx.Event(ctx, audit.Event{Kind: audit.EnrollPlatform, User: user.ID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"platform": string(identity.ThirdParty)}})
	if err != nil {
		return "", err
	}
	return "", IssueThirdParty(ctx, tx, j, user, rules, lang)
}

// IssueThirdParty makes a new secret for another vendor's app in place of the
// open activation of the user; see [Issue].
func IssueThirdParty(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, rules Rules, lang string) error {
	if err := codePassed(j); err != nil {
		return err
	}
	if !rules.SelfProvisioning.ThirdParty {
		return &identity.Error{Kind: identity.Conflict, Key: "error.platform.missing"}
	}
	now, life := tx.Now(), seconds(rules.Limits.ActivationLifetime)
	a := store.Activation{Tenant: j.Tenant, ID: identity.NewID(identity.ActivationID), User: user.ID, Journey: j.ID,
		Platform: identity.ThirdParty, Template: []byte(`{}`), Language: lang, CreatedAt: now, ExpiresAt: now.Add(life)}
	if err := open(ctx, tx, a, store.ActivationCodes{Seed: otp.NewSecret(usual.Algorithm)}); err != nil {
		return err
	}
	j.Enroll, j.Platform = identity.EnrollThirdParty, identity.ThirdParty
	extend(j, now, life+afterwards)
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, User: user.ID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"activation": a.ID, "platform": string(a.Platform)}})
}

// A ThirdParty is what the page for another vendor's app shows.
type ThirdParty struct {
	ExpiresAt time.Time
	Secret    []byte // nil once it expired or was replaced: a new one is needed
}

// Link is the otpauth link of the secret, which the QR code holds.
func (s ThirdParty) Link(issuer, account string) string {
	return otp.Key{Issuer: issuer, Account: account, Secret: s.Secret, Params: usual}.URI()
}

// Typed is the secret for copying by hand: Base32 in groups of four.
func (s ThirdParty) Typed() string {
	var groups []string
	for text := otp.EncodeSecret(s.Secret); text != ""; {
		n := min(4, len(text))
		groups, text = append(groups, text[:n]), text[n:]
	}
	return strings.Join(groups, " ")
}

// ShownThirdParty returns the open secret of a journey, for its page to show,
// and to show again after a reload. One that is over is no error.
func ShownThirdParty(ctx context.Context, r store.Reader, j *identity.Journey) (ThirdParty, error) {
	a, err := r.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if errors.Is(err, identity.NotFound) {
		return ThirdParty{}, nil
	}
	if err != nil || a.Platform != identity.ThirdParty || StateOf(a, r.Now()) != Waiting {
		return ThirdParty{}, err
	}
	codes, err := r.Activations().Codes(ctx, a)
	if errors.Is(err, identity.NotFound) { // voided between the two reads
		return ThirdParty{}, nil
	}
	return ThirdParty{ExpiresAt: a.ExpiresAt, Secret: codes.Seed}, err
}

// ConfirmThirdParty looks at the passcode that proves that an app holds the
// secret, and if it is right makes the authenticator of it, active and without
// push, under a name. problem is the locale key of what to tell the person
// otherwise; nothing has changed then, and the same secret may be tried again.
// Wrong ones are not counted: whoever could guess here reads the secret itself
// above the field.
//
// The passcode is used up by that. It does not count as the journey's: enrolled
// by mail code alone is not logged in (ENR-4), and a passcode works once
// (CRED-9). The journey asks for the next one (ENR-2).
func ConfirmThirdParty(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, typed, name string) (problem string, err error) {
	if err := codePassed(j); err != nil {
		return "", err
	}
	act, err := tx.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if err != nil {
		return "", err
	}
	if act.Platform != identity.ThirdParty || StateOf(act, tx.Now()) != Waiting {
		return "", nil // the page says so, and offers another
	}
	codes, err := tx.Activations().Codes(ctx, act)
	if errors.Is(err, identity.NotFound) { // another tab confirmed between the two reads
		return "", &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: err}
	}
	if err != nil {
		return "", err
	}
	code := otp.Canonical(typed)
	if len(code) != usual.Digits || strings.Trim(code, "0123456789") != "" {
		return "error.passcode.format", nil
	}
	step, right := otp.Match(codes.Seed, usual, code, tx.Now(), 0, confirmed)
	if !right {
		if _, near := otp.Match(codes.Seed, usual, code, tx.Now(), 0, clockOff); near {
			return "error.confirm.clock", nil
		}
		return "error.confirm.wrong", nil
	}
	serial, err := authenticator.NewSerial(ctx, tx, act.Tenant)
	if err != nil {
		return "", err
	}
	a := identity.Authenticator{Tenant: act.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: serial, Kind: identity.TOTP,
		Name: name, Seed: codes.Seed, Digits: usual.Digits, Step: usual.Period, LastStep: -1, Template: act.Template}
	if err := Adopt(ctx, tx, act, a, ""); err != nil {
		return "", err
	}
	used, err := tx.Passcodes().UseStep(ctx, a.Tenant, a.ID, step, step-otp.Step(usual, tx.Now()))
	if err == nil && !used {
		err = errors.New("enroll: the confirming passcode of " + a.Serial + " could not be used up")
	}
	if err != nil {
		return "", err
	}
	j.Enroll, j.Notice = identity.NotEnrolling, "notice.enrolled.next"
	extend(j, tx.Now(), afterwards)
	return "", Announce(ctx, tx, j.ID, user, a, templates.Origin{IP: tx.Who().IP, Browser: j.Fingerprint, At: tx.Now()}, act.Language,
		audit.Event{Kind: audit.EnrollFinished, Application: j.Application,
			Data: map[string]string{"activation": act.ID, "platform": string(act.Platform), "push": "false"}})
}

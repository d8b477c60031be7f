package enroll

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/store"
)

// PendingLife is how long an app has to finish what it began (ENR-9a).
const PendingLife = policy.PendingLifetime * time.Second

// ChoosePlatform takes the person's choice of platform and issues an activation
// for it. problem is the locale key of what to tell the person if the choice
// cannot be taken. Another platform may be chosen until the authenticator is
// ready; what was issued for the first is void.
func ChoosePlatform(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, platform identity.Platform, rules Rules, lang string) (problem string, err error) {
	if !rules.Allow(platform) {
		return "error.platform.missing", nil
	}
	j.Platform = platform
	err = tx.Event(ctx, audit.Event{Kind: audit.EnrollPlatform, User: user.ID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"platform": string(platform)}})
	if err != nil {
		return "", err
	}
	return "", Issue(ctx, tx, j, user, rules, lang)
}

// Issue makes the activation for the journey's platform, in place of any open
// one of the user and the pending authenticator that came of it (ENR-9). The
// platform's push and the token template are copied into it: a change of policy
// does not touch an enrolment on its way.
func Issue(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, rules Rules, lang string) error {
	if err := codePassed(j); err != nil {
		return err
	}
	if !rules.Allow(j.Platform) {
		return &identity.Error{Kind: identity.Conflict, Key: "error.platform.missing"}
	}
	inForce := rules.template(j.Platform)
	template, err := json.Marshal(inForce)
	if err != nil {
		return fmt.Errorf("enroll: template: %w", err)
	}
	now, life := tx.Now(), seconds(rules.Limits.ActivationLifetime)
	a := store.Activation{
		Tenant: j.Tenant, ID: identity.NewID(identity.ActivationID), User: user.ID, Journey: j.ID,
		Platform: j.Platform, Template: template, PushAllowed: rules.Platforms.PushOn(j.Platform),
		Language: lang, CreatedAt: now, ExpiresAt: now.Add(life),
	}
	if err := open(ctx, tx, a, store.ActivationCodes{}); err != nil {
		return err
	}
	j.Enroll = identity.EnrollScan
	extend(j, now, life+PendingLife+afterwards)
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollActivation, User: user.ID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"activation": a.ID, "platform": string(a.Platform), "template": inForce.Name}})
}

// Provision makes an activation outside any journey, for an operator to give its link to a
// user, in place of whatever the user has open. a says the platform, the template,
// whether push is allowed and which authenticator is replaced; the rest is filled in.
func Provision(ctx context.Context, tx *store.Tx, user identity.User, rules Rules, a store.Activation) (store.Activation, error) {
	a.Tenant, a.ID, a.User, a.Language = user.Tenant, identity.NewID(identity.ActivationID), user.ID, user.Language
	a.CreatedAt, a.ExpiresAt = tx.Now(), tx.Now().Add(seconds(rules.Limits.ActivationLifetime))
	return a, open(ctx, tx, a, store.ActivationCodes{})
}

// open voids what the user has open and adds a under codes, making those that are
// missing. It tries again where another transaction opened one in between, or where
// the short code, of forty bits, is taken.
func open(ctx context.Context, tx *store.Tx, a store.Activation, codes store.ActivationCodes) error {
	codes.Secret = rand.Text()
	if a.Platform == identity.PrivacyIDEA {
		serial, err := authenticator.NewSerial(ctx, tx, a.Tenant)
		if err != nil {
			return err
		}
		codes.Secret, codes.Serial = privacyidea.NewCredential(), serial
	}
	for range 5 {
		if err := authenticator.VoidActivation(ctx, tx, a.Tenant, a.User, "replaced"); err != nil {
			return err
		}
		codes.Short = newShortCode()
		switch added, err := tx.Activations().Add(ctx, a, codes); {
		case err != nil:
			return err
		case added:
			return nil
		}
	}
	return &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second,
		Err: errors.New("enroll: no activation could be opened in five tries")}
}

// codePassed keeps what follows the verification code from who has not given
// it: a form posted out of order is refused, whatever page it came from.
func codePassed(j *identity.Journey) error {
	if issuing(j) && !j.Code.PassedAt.IsZero() && j.UserID != "" {
		return nil
	}
	return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale",
		Err: fmt.Errorf("journey %s stands at %q and has passed no verification code", j.ID, j.Enroll)}
}

// issuing reports whether a journey stands behind the verification code: at the
// choice of platform, or at what was issued for it.
func issuing(j *identity.Journey) bool {
	return j.Enroll == identity.EnrollPlatform || j.Enroll == identity.EnrollScan || j.Enroll == identity.EnrollThirdParty
}

// ActivationState is where an activation stands, as its page shows it.
type ActivationState string

const (
	Waiting       ActivationState = "waiting"        // nobody has used it
	KeyRegistered ActivationState = "key-registered" // an app has, and is being set up
	Done          ActivationState = "done"           // the authenticator is active
	Expired       ActivationState = "expired"        // too late, or replaced: a new one is needed
)

// An Activation is what the page of a journey shows of it.
type Activation struct {
	State     ActivationState
	ExpiresAt time.Time // of the state: until when the link, or the app's set-up, can be finished
	Platform  identity.Platform
	Secret    string // empty unless waiting
	ShortCode string // as shown, in two groups of four; empty unless waiting
	Serial    string // what the authenticator will have; with PrivacyIDEA alone
	PIN       string // to begin with; while an app is being set up that asks for one (CRED-5)
}

// InitialPIN is the PIN to begin with as it is shown, in two groups; empty where
// the app asks for none.
func (a Activation) InitialPIN() string {
	if a.PIN == "" {
		return ""
	}
	half := len(a.PIN) / 2
	return a.PIN[:half] + " " + a.PIN[half:]
}

// Link is what the QR code holds, at a base address such as
// https://id.example.org. The secret stands in the fragment, which no browser
// sends: it is in no log and no Referer.
func (a Activation) Link(base string) string {
	return base + "/authenticator/#v1." + a.Secret
}

// PrivacyIDEALink is the link of an activation that waits for the privacyIDEA
// Authenticator, for the QR code it scans: at a base such as
// https://id.example.org, of a user as named.
func (a Activation) PrivacyIDEALink(base string, t identity.Tenant, user string, now time.Time) string {
	return privacyidea.Enrollment{Address: privacyidea.Address(base, t.Slug), Issuer: t.OrganisationName(), Account: user,
		Serial: a.Serial, Credential: a.Secret, Lifetime: a.ExpiresAt.Sub(now)}.URI()
}

// Show returns what a page shows of an activation, and shows again after a reload.
// The zero activation shows as one that is over.
func Show(ctx context.Context, r store.Reader, a store.Activation) (Activation, error) {
	shown := Activation{State: StateOf(a, r.Now()), ExpiresAt: a.ExpiresAt, Platform: a.Platform}
	switch shown.State {
	case KeyRegistered:
		var err error
		shown.ExpiresAt = a.UsedAt.Add(PendingLife)
		if shown.PIN, err = r.PINs().Initial(ctx, a.Tenant, a.Authenticator); errors.Is(err, identity.NotFound) {
			err = nil // there is none, or it was changed
		}
		return shown, err
	case Waiting:
		codes, err := r.Activations().Codes(ctx, a)
		if errors.Is(err, identity.NotFound) { // used between the two reads
			shown.State = KeyRegistered
			return shown, nil
		}
		if err != nil {
			return Activation{}, err
		}
		shown.Secret, shown.ShortCode, shown.Serial = codes.Secret, showShortCode(codes.Short), codes.Serial
	}
	return shown, nil
}

// Shown returns the newest activation of a journey as its page shows it. A NotFound
// says that there is none.
func Shown(ctx context.Context, r store.Reader, j *identity.Journey) (Activation, error) {
	a, err := r.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if err != nil {
		return Activation{}, err
	}
	return Show(ctx, r, a)
}

// FirstPIN returns the PIN to type with the first passcode of the authenticator
// that was set up in a journey, until it was used; empty where there is none
// (CRED-5). It is for the pages of that journey, and never mailed.
func FirstPIN(ctx context.Context, r store.Reader, j *identity.Journey) (string, error) {
	a, err := r.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if err == nil && StateOf(a, r.Now()) == Done {
		var pin string
		if pin, err = r.ServerPINs().Initial(ctx, a.Tenant, a.Authenticator); err == nil {
			return pin, nil
		}
	}
	if errors.Is(err, identity.NotFound) {
		err = nil
	}
	return "", err
}

// StateOf derives where an activation stands at a moment. The zero activation,
// which a journey has that has none, is over.
func StateOf(a store.Activation, now time.Time) ActivationState {
	switch {
	case !a.FinishedAt.IsZero():
		return Done
	case !a.VoidedAt.IsZero():
		return Expired
	case !a.UsedAt.IsZero() && now.Before(a.UsedAt.Add(PendingLife)):
		return KeyRegistered
	case a.UsedAt.IsZero() && now.Before(a.ExpiresAt):
		return Waiting
	}
	return Expired
}

// Cancel leaves self-provisioning: what was issued is void, and a new start
// needs a new code. When codes were sent stays known, so that leaving and
// coming back does not send them faster.
func Cancel(ctx context.Context, tx *store.Tx, j *identity.Journey) error {
	if !j.Login() { // there is no code to go back to: the link, or the factor, stands for it
		return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: errors.New("enroll: nothing lies before an invitation, or a factor")}
	}
	if j.UserID != "" && issuing(j) {
		if err := authenticator.VoidActivation(ctx, tx, j.Tenant, j.UserID, "cancelled"); err != nil {
			return err
		}
	}
	j.Enroll, j.Platform = identity.NotEnrolling, ""
	j.Code = identity.Code{SentAt: j.Code.SentAt, Sends: j.Code.Sends}
	return nil
}

// Sweep voids activations of all tenants that were left unused or unfinished
// until it was too late, a batch at a time, and returns how many.
func Sweep(ctx context.Context, tx *store.Tx) (int, error) {
	lapsed, err := tx.Activations().VoidLapsed(ctx, tx.Now().Add(-PendingLife), 500)
	if err != nil {
		return 0, err
	}
	for _, a := range lapsed {
		if err := authenticator.ActivationVoided(ctx, tx, a, "expired"); err != nil {
			return 0, err
		}
	}
	return len(lapsed), nil
}

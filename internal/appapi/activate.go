package appapi

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// maxDeviceName is the most characters of what a device is called.
const maxDeviceName = 64

// activateBody is what activate is sent.
type activateBody struct {
	Secret    string            `json:"secret"`
	ShortCode string            `json:"short_code"`
	Name      string            `json:"name"`
	Platform  identity.Platform `json:"platform"`
}

// activated is what activate answers.
type activated struct {
	Authenticator string            `json:"authenticator"`
	Tenant        string            `json:"tenant"`
	Organisation  string            `json:"organisation"`
	User          string            `json:"user"`
	Serial        string            `json:"serial"`
	State         identity.State    `json:"state"`
	Expires       int64             `json:"expires"`
	Seed          string            `json:"seed"`
	Mode          string            `json:"mode"`
	Algorithm     otp.Algorithm     `json:"algorithm"`
	Digits        int               `json:"digits"`
	Period        int64             `json:"period"`
	Template      activatedTemplate `json:"template"`
	PIN           *standingPIN      `json:"pin,omitempty"`
	Push          activatedPush     `json:"push"`
	Language      string            `json:"language"`
}

// activatedTemplate is what an app must know of its token's template.
type activatedTemplate struct {
	PIN              string `json:"pin"`
	Biometric        bool   `json:"biometric"`
	*policy.PINRules        // with a PIN
	PINAttempts      int64  `json:"pin_attempts,omitempty"`
}

type activatedPush struct {
	Allowed bool `json:"allowed"`
}

// activate uses an activation up for the key that signed: it becomes a pending
// authenticator, which finish makes active, and whose seed the answer brings. Of any number of keys one wins.
// The same key gets the same answer until it finishes, for an answer may have
// been lost on its way (ENR-9a).
func (a *API) activate(ctx context.Context, m message) (any, error) {
	var in activateBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	switch {
	case (in.Secret == "") == (in.ShortCode == ""):
		return nil, malformed(errors.New("one of secret and short_code is needed"))
	case utf8.RuneCountInString(in.Name) > maxDeviceName:
		return nil, malformed(errors.New("name is too long"))
	case in.Platform != "" && !slices.Contains(identity.Platforms, in.Platform):
		return nil, malformed(fmt.Errorf("platform %q", in.Platform))
	}
	if in.Secret != "" {
		// Looked for before a transaction is begun: there is one writer at a
		// time, and somebody with random secrets shall not occupy it.
		if _, err := a.db.Activations().BySecret(ctx, in.Secret); err != nil {
			return nil, noActivationIf(err)
		}
	}
	var out activated
	var no error // a refusal that must be counted, so the transaction commits
	err := a.db.InTx(ctx, m.who(), func(tx *store.Tx) error {
		act, err := a.find(ctx, tx, m, in)
		if err != nil {
			if r, refused := errors.AsType[*refusal](err); refused {
				no = r
				return nil
			}
			return err
		}
		if err := m.use(ctx, tx, act.Tenant); err != nil {
			return err
		}
		out, err = a.register(ctx, tx, m, act, in)
		return err
	})
	if err == nil {
		err = no
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// noActivationIf turns a NotFound into the refusal; other errors pass.
func noActivationIf(err error) error {
	if errors.Is(err, identity.NotFound) {
		return noActivation()
	}
	return err
}

// find returns the activation a key may use, or has used already. Guesses at
// short codes are counted, before they are looked at, for the address they come
// from and for the whole server; the right one is then taken back.
func (a *API) find(ctx context.Context, tx *store.Tx, m message, in activateBody) (store.Activation, error) {
	usable := func(act store.Activation) bool {
		if act.Platform == identity.ThirdParty || act.Platform == identity.PrivacyIDEA {
			return false // for an app that does not speak this: no template was copied into it, nor push agreed
		}
		switch enroll.StateOf(act, tx.Now()) {
		case enroll.Waiting:
			return true
		case enroll.KeyRegistered:
			return act.Thumbprint == m.thumbprint
		}
		return false
	}
	if in.Secret != "" {
		act, err := tx.Activations().BySecret(ctx, in.Secret)
		if err != nil {
			return act, noActivationIf(err)
		}
		if !usable(act) {
			return act, noActivation()
		}
		return act, nil
	}
	code := enroll.CanonicalShortCode(in.ShortCode)
	if code == "" {
		return store.Activation{}, noActivation() // no guess either: it can be nobody's
	}
	counts := []struct {
		rate    store.ExactRate
		subject string
	}{
		{store.ExactRate{Kind: "wrong short code by address", Max: policy.WrongShortCodesPerAddress, Per: time.Hour}, store.Network(m.ip)},
		{store.ExactRate{Kind: "wrong short code", Max: policy.WrongShortCodesTotal, Per: time.Hour}, "all"},
	}
	for _, count := range counts {
		if err := tx.AllowExact(ctx, "", count.rate, count.subject); err != nil {
			return store.Activation{}, throttleAlert(ctx, tx, m, err, count.rate.Kind, count.subject)
		}
	}
	act, err := tx.Activations().ByShortCode(ctx, code)
	if err != nil {
		return act, noActivationIf(err)
	}
	if !usable(act) {
		return act, noActivation()
	}
	for _, count := range counts {
		if err := tx.UndoAllowExact(ctx, "", count.rate, count.subject); err != nil {
			return act, err
		}
	}
	return act, nil
}

// throttleAlert tells the operators, once an hour, that short codes are being guessed,
// and refuses. The events belong to no tenant: a code names none.
func throttleAlert(ctx context.Context, tx *store.Tx, m message, throttled error, kind, subject string) error {
	no := refuse(throttled)
	if no.Code != "throttled" {
		return throttled
	}
	hour := tx.Now().Truncate(time.Hour)
	err := tx.UseOnce(ctx, "", "flood", kind+" "+subject+" "+strconv.FormatInt(hour.Unix(), 10), hour.Add(2*time.Hour))
	switch {
	case errors.Is(err, identity.Conflict):
		return no
	case err != nil:
		return err
	}
	if err := tx.Event(ctx, audit.Event{Kind: audit.ShortCodeFlood, Reason: kind}); err != nil {
		return err
	}
	return no
}

// register makes the pending authenticator, or finds the one that this key made
// before, and says what the app has to know.
func (a *API) register(ctx context.Context, tx *store.Tx, m message, act store.Activation, in activateBody) (activated, error) {
	user, err := tx.Users().Get(ctx, act.Tenant, act.User)
	if err != nil {
		return activated{}, err
	}
	if !user.Enabled() {
		return activated{}, noActivation()
	}
	tenant, err := tx.Tenants().Get(ctx, act.Tenant)
	if err != nil {
		return activated{}, err
	}
	template, err := policy.Read[policy.Template](act.Template)
	if err != nil {
		return activated{}, err
	}
	if err := needs(m, template); err != nil {
		return activated{}, err
	}
	if act.UsedAt.IsZero() {
		if act, err = createPending(ctx, tx, m, act, template, in); err != nil {
			return activated{}, err
		}
	}
	app, err := tx.Authenticators().Get(ctx, act.Tenant, act.Authenticator)
	if err != nil {
		return activated{}, err
	}
	seed, err := tx.Authenticators().Seed(ctx, app.Tenant, app.ID)
	if err != nil {
		return activated{}, err
	}
	pin, err := pinStanding(ctx, tx.Reader, app, template)
	if err != nil {
		return activated{}, err
	}
	mode, algorithm := modeOf(app)
	return activated{
		Authenticator: app.ID, Tenant: tenant.Slug, Organisation: tenant.OrganisationName(), User: user.Name,
		Serial: app.Serial, State: app.State(), Expires: act.UsedAt.Add(enroll.PendingLife).Unix(),
		Seed: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed),
		Mode: mode, Algorithm: algorithm, Digits: app.Digits, Period: app.Step,
		Template: pinned(template), PIN: pin,
		Push: activatedPush{Allowed: act.PushAllowed}, Language: act.Language,
	}, nil
}

// needs refuses an app that cannot do what a template asks of it: it would become
// an authenticator that nobody can use (CRED-3, CRED-4, CRED-5).
func needs(m message, t policy.Template) error {
	wanted := []string{}
	if t.PIN == policy.UserPIN {
		wanted = append(wanted, "pin:app")
	}
	if t.PIN == policy.ServerSidePIN {
		wanted = append(wanted, "pin:server")
	}
	switch {
	case t.Mode == policy.ChallengeResponse:
		wanted = append(wanted, "challenge")
	case t.Step == 0:
		wanted = append(wanted, "counter")
	}
	for _, capability := range wanted {
		if !slices.Contains(m.claims.Capabilities, capability) {
			return &refusal{status: http.StatusConflict, Code: "capability", Capability: capability, Least: push.MinVersion(m.claims.Version, capability)}
		}
	}
	return nil
}

// modeOf says in the protocol's words what an authenticator makes, and by which
// hash.
func modeOf(app identity.Authenticator) (mode string, algorithm otp.Algorithm) {
	if app.Suite != "" {
		return "challenge", otp.SHA256
	}
	return "quick", otp.SHA1
}

// createPending makes the pending authenticator of an activation.
func createPending(ctx context.Context, tx *store.Tx, m message, act store.Activation, template policy.Template, in activateBody) (store.Activation, error) {
	serial, err := authenticator.NewSerial(ctx, tx, act.Tenant)
	if err != nil {
		return act, err
	}
	app := identity.Authenticator{
		Tenant: act.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: serial, Kind: identity.AppToken,
		Name: identity.CleanTyped(in.Name), Platform: act.Platform,
		Key: m.key.jwk, Thumbprint: m.thumbprint, Digits: int(template.Length), Step: template.Step, LastStep: -1, ServerPIN: template.PIN == policy.ServerSidePIN,
		Template: act.Template, AppVersion: m.claims.Version, Capabilities: m.claims.Capabilities,
	}
	if template.Mode == policy.ChallengeResponse {
		app.Suite, app.Step = otp.ChallengeSuite(app.Digits), 0
	}
	_, algorithm := modeOf(app)
	app.Seed = otp.NewSecret(algorithm)
	if app.Name == "" {
		app.Name = app.Serial
	}
	if app.Name, err = authenticator.FreeName(ctx, tx.Reader, app.Tenant, act.User, app.Name, app.ID, act.Replaces); err != nil {
		return act, err
	}
	won, err := tx.Activations().Use(ctx, act, m.thumbprint, app.ID)
	if err != nil {
		return act, err
	}
	if !won { // somebody did, since we looked: another phone, or this one's first try
		act, err := tx.Activations().Get(ctx, act.Tenant, act.ID)
		if err == nil && (enroll.StateOf(act, tx.Now()) != enroll.KeyRegistered || act.Thumbprint != m.thumbprint) {
			err = noActivation()
		}
		return act, err
	}
	if err := tx.Authenticators().Add(ctx, app, act.User); err != nil {
		return act, err
	}
	if err := firstPIN(ctx, tx, app, template); err != nil {
		return act, err
	}
	if app.ServerPIN {
		if _, err := authenticator.AssignFirstPIN(ctx, tx, app); err != nil {
			return act, err
		}
	}
	act.UsedAt, act.Authenticator, act.Thumbprint = tx.Now(), app.ID, m.thumbprint
	if act.Journey != "" {
		tx.Notify(store.JourneyTopic(act.Journey))
	}
	return act, tx.Event(ctx, audit.Event{Kind: audit.EnrollKey, Tenant: act.Tenant, User: act.User, Authenticator: app.ID,
		Journey: act.Journey, Data: map[string]string{"activation": act.ID, "app": m.claims.Version,
			"platform": string(act.Platform), "reported": string(in.Platform)}})
}

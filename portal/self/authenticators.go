package self

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// authenticators lists the person's authenticators, or shows the one in the
// address.
func (p *Portal) authenticators(pr *PageRequest) (templates.Body, error) {
	if pr.Item != "" {
		return p.authenticator(pr)
	}
	body := templates.MeAuthenticators{Name: pr.User.Name}
	var err error
	if body.Cards, err = p.cards(pr, pr.Page.Name); err != nil {
		return nil, err
	}
	synced, err := p.syncedPasskeys(pr)
	if err != nil {
		return nil, err
	}
	for a, err := range p.DB.Authenticators().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return nil, err
		}
		if a.State() == identity.Pending {
			continue // not activated yet
		}
		body.Authenticators = append(body.Authenticators, p.authenticatorItem(pr, a, synced[a.ID]))
	}
	return body, nil
}

// confirmedRecently is for how long a confirmed sign-in is shown.
const confirmedRecently = 2 * time.Minute

// authenticatorItem is an authenticator as it is shown to its user.
func (p *Portal) authenticatorItem(pr *PageRequest, a identity.Authenticator, synced bool) templates.Authenticator {
	now := p.DB.Now()
	push := a.Push(now)
	if push == identity.PushLocked && a.PushOnAt.IsZero() {
		push = identity.PushDisabled // what is off is not paused
	}
	h := templates.Authenticator{Address: pr.Address("authenticators/" + a.ID), Name: a.Name, Serial: a.Serial, Sort: sortOf(a), Platform: a.Platform,
		State: a.State(), HasPush: a.Kind == identity.AppToken, Push: push, Synced: synced, EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt}
	for _, passed := range pr.Session.Passed {
		if passed.Authenticator == a.ID && passed.Method != identity.ByRememberedDevice && now.Sub(passed.At) < confirmedRecently {
			h.Confirmed = true
		}
	}
	return h
}

// sortOf says how an authenticator confirms.
func sortOf(a identity.Authenticator) templates.AuthenticatorSort {
	switch {
	case a.Kind == identity.Passkey:
		return templates.SortPasskey
	case a.Protocol == identity.PrivacyIDEAPush:
		return templates.SortRequests
	case a.AnswersChallenges():
		return templates.SortChallenge
	case a.Kind == identity.AppToken:
		return templates.SortApp
	}
	return templates.SortPasscodes
}

// syncedPasskeys says which of the person's passkeys may be copied to other devices, by
// the ids of their authenticators.
func (p *Portal) syncedPasskeys(pr *PageRequest) (map[string]bool, error) {
	synced := make(map[string]bool)
	for k, err := range p.DB.Passkeys().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return nil, err
		}
		synced[k.Authenticator] = k.Eligible
	}
	return synced, nil
}

// authenticator shows one of the person's authenticators, with its forms
// (CRED-16).
func (p *Portal) authenticator(pr *PageRequest) (templates.Body, error) {
	ctx := pr.Request.Context()
	a, err := authenticator.OfUser(ctx, p.DB.Reader, pr.User, pr.Item)
	if err != nil {
		return nil, err
	}
	synced, err := p.syncedPasskeys(pr)
	if err != nil {
		return nil, err
	}
	body := templates.MeAuthenticator{Authenticator: p.authenticatorItem(pr, a, synced[a.ID]), User: pr.User.Name, Back: pr.Address("authenticators"),
		TypedName: identity.CleanTyped(pr.Request.PostFormValue("name"))}
	if a.State() != identity.Active {
		return body, nil
	}
	if body.Sort != templates.SortRequests || body.PushEnabled() {
		body.Try = "/t/" + pr.Tenant.Slug + "/login?for=authenticators&fresh=now"
	}
	if a.ServerPIN {
		body.PIN = pr.Address("pin/" + a.ID)
	}
	if body.Switch, err = p.canSwitchPush(ctx, a); err != nil {
		return nil, err
	}
	body.Only = true
	for other, err := range p.DB.Authenticators().OfUser(ctx, pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return nil, err
		}
		if other.ID != a.ID && other.State() == identity.Active {
			body.Only = false
		}
	}
	return body, nil
}

// canSwitchPush reports whether push of an authenticator can be turned on or
// off: it can be turned off wherever it is on, and on where policy allows it
// for the platform.
func (p *Portal) canSwitchPush(ctx context.Context, a identity.Authenticator) (bool, error) {
	if a.Kind != identity.AppToken {
		return false, nil
	}
	row, err := p.DB.Policies().Get(ctx, a.Tenant, policy.KindPlatforms)
	if err != nil {
		return false, err
	}
	platforms, err := policy.Read[policy.Platforms](row.Document)
	if err != nil {
		return false, fmt.Errorf("portal: %w", err)
	}
	return platforms.PushOn(a.Platform) || !a.PushOnAt.IsZero(), nil
}

// changeAuthenticator handles the forms of an authenticator's page. Only
// turning push on requires a fresh second factor: somebody who has lost the
// authenticator cannot confirm with it.
func (p *Portal) changeAuthenticator(pr *PageRequest) (Result, error) {
	do := pr.Request.PostFormValue("do")
	if do == "push-on" {
		ok, err := p.completedFactor(pr.Request, pr.Session, freshFactor)
		if err != nil {
			return Result{}, err
		}
		if !ok {
			return Result{}, errStepUp
		}
	}
	ctx := pr.Request.Context()
	answer := Result{Page: pr.Page.Name + "/" + pr.Item, Message: do}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		a, err := authenticator.OfUser(ctx, tx.Reader, u, pr.Item)
		if err != nil {
			return err
		}
		from := pr.Origin(tx.Now())
		switch do {
		case "rename":
			answer.Message = "renamed"
			return authenticator.Rename(ctx, tx, a, pr.Request.PostFormValue("name"))
		case "push-on", "push-off":
			return authenticator.SwitchPush(ctx, tx, u, a, do == "push-on", from)
		case "lost":
			answer.Page = pr.Page.Name
			return authenticator.ReportLost(ctx, tx, u, a, from)
		}
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	})
	return answer, err
}

// pin is the page to change the PIN that is typed with the passcodes of one of the
// person's authenticators (CRED-6).
func (p *Portal) pin(pr *PageRequest) (templates.Body, error) {
	ctx := pr.Request.Context()
	a, err := authenticator.OfUser(ctx, p.DB.Reader, pr.User, pr.Item)
	if err != nil {
		return nil, err
	}
	if !a.ServerPIN || a.State() != identity.Active {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	row, err := p.DB.Policies().Get(ctx, pr.Tenant.ID, policy.KindPIN)
	if err != nil {
		return nil, err
	}
	rules, err := policy.Read[policy.ServerPIN](row.Document)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	return templates.MePIN{Name: pr.User.Name, Device: a.Name, Back: pr.Address("authenticators/" + a.ID), MinLength: int(rules.MinLength),
		MaxLength: int(rules.MaxLength), TrivialAllowed: rules.TrivialPINs, AfterPasscode: rules.Position == policy.PINAfter}, nil
}

// changePIN handles the form with the new PIN. The present one is not asked for: the
// fresh second factor was confirmed with it, or without it by somebody who forgot it.
func (p *Portal) changePIN(pr *PageRequest) (Result, error) {
	form, ctx := pr.Request.PostFormValue, pr.Request.Context()
	if form("do") != "change" {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	pin := otp.Canonical(form("pin"))
	if pin != otp.Canonical(form("again")) {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.pin.different"}
	}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		a, err := authenticator.OfUser(ctx, tx.Reader, u, pr.Item)
		if err != nil {
			return err
		}
		return authenticator.ChangeServerPIN(ctx, tx, u, a, pin, pr.Origin(tx.Now()))
	})
	return Result{Page: "authenticators/" + pr.Item, Message: "pin"}, err
}

// add is the page that begins the enrolment of a further authenticator.
func (p *Portal) add(pr *PageRequest) (templates.Body, error) {
	return templates.MeAdd{Name: pr.User.Name}, nil
}

// beginAdding begins self-provisioning and sends the browser there.
func (p *Portal) beginAdding(pr *PageRequest) (Result, error) {
	lead, err := p.BeginAdding(pr.Request, pr.Tenant, pr.Session)
	return Result{Handler: lead}, err
}

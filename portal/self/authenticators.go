package self

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// authenticators lists what the person holds, or shows the one the address names.
func (p *Portal) authenticators(v *Visit) (templates.Body, error) {
	if v.Item != "" {
		return p.authenticator(v)
	}
	body := templates.MeAuthenticators{Name: v.User.Name, Cards: p.cards(v, v.Page.Name)}
	for a, err := range p.DB.Authenticators().OfUser(v.Request.Context(), v.Tenant.ID, v.User.ID) {
		if err != nil {
			return nil, err
		}
		if a.State() == identity.Pending {
			continue // half made: nothing to show yet
		}
		body.Authenticators = append(body.Authenticators, p.holding(v, a))
	}
	return body, nil
}

// justNow is how long a confirmed sign-in is news.
const justNow = 2 * time.Minute

// holding is an authenticator as its owner is shown it.
func (p *Portal) holding(v *Visit, a identity.Authenticator) templates.Authenticator {
	now := p.DB.Now()
	h := templates.Authenticator{Address: v.Address("authenticators/" + a.ID), Name: a.Name, Serial: a.Serial, Platform: a.Platform,
		State: a.State(), Push: a.Push(now), EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt}
	for _, passed := range v.Session.Passed {
		if passed.Authenticator == a.ID && passed.Method != identity.ByRememberedDevice && now.Sub(passed.At) < justNow {
			h.Confirmed = true
		}
	}
	return h
}

// authenticator shows one of the person's authenticators, and what can be done
// with it (CRED-16).
func (p *Portal) authenticator(v *Visit) (templates.Body, error) {
	ctx := v.Request.Context()
	a, err := authenticator.OfUser(ctx, p.DB.Reader, v.User, v.Item)
	if err != nil {
		return nil, err
	}
	body := templates.MeAuthenticator{Authenticator: p.holding(v, a), User: v.User.Name, Back: v.Address("authenticators"),
		TypedName: identity.CleanTyped(v.Request.PostFormValue("name"))}
	if a.State() != identity.Active {
		return body, nil
	}
	body.Try = "/t/" + v.Tenant.Slug + "/login?for=authenticators&fresh=now"
	if body.Switch, err = p.switchable(ctx, a); err != nil {
		return nil, err
	}
	body.Only = true
	for other, err := range p.DB.Authenticators().OfUser(ctx, v.Tenant.ID, v.User.ID) {
		if err != nil {
			return nil, err
		}
		if other.ID != a.ID && other.State() == identity.Active {
			body.Only = false
		}
	}
	return body, nil
}

// switchable reports whether push of an authenticator can be turned on or off: it
// can be turned off wherever it is on, and on where policy lets its platform.
func (p *Portal) switchable(ctx context.Context, a identity.Authenticator) (bool, error) {
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
	return platforms.PushOn(a.Platform) || a.Push(p.DB.Now()) == identity.PushEnabled, nil
}

// changeAuthenticator takes the forms of an authenticator's own page. Only what
// lets it do more asks for a fresh second factor: who has lost the thing cannot
// confirm that with it.
func (p *Portal) changeAuthenticator(v *Visit) (Answer, error) {
	do := v.Request.PostFormValue("do")
	if do == "push-on" {
		ok, err := p.factor(v.Request, v.Session, fresh)
		if err != nil {
			return Answer{}, err
		}
		if !ok {
			return Answer{}, errStepUp
		}
	}
	ctx := v.Request.Context()
	answer := Answer{To: v.Page.Name + "/" + v.Item, Said: do}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, v.Tenant.ID, v.User.ID)
		if err != nil {
			return err
		}
		a, err := authenticator.OfUser(ctx, tx.Reader, u, v.Item)
		if err != nil {
			return err
		}
		from := v.Origin(tx.Now())
		switch do {
		case "rename":
			answer.Said = "renamed"
			return authenticator.Rename(ctx, tx, a, v.Request.PostFormValue("name"))
		case "push-on", "push-off":
			return authenticator.SwitchPush(ctx, tx, u, a, do == "push-on", from)
		case "lost":
			answer.To = v.Page.Name
			return authenticator.ReportLost(ctx, tx, u, a, from)
		}
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	})
	return answer, err
}

// add is where a further authenticator is begun.
func (p *Portal) add(v *Visit) (templates.Body, error) {
	return templates.MeAdd{Name: v.User.Name}, nil
}

// beginAdding leads into self-provisioning, whose wizard goes on from there.
func (p *Portal) beginAdding(v *Visit) (Answer, error) {
	lead, err := p.BeginAdding(v.Request, v.Tenant, v.Session)
	return Answer{Elsewhere: lead}, err
}

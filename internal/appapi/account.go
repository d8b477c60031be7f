package appapi

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// settingsBody is what finish and settings are sent.
type settingsBody struct {
	Push *bool   `json:"push"`
	Name *string `json:"name"`
}

// name returns the name the app gives its authenticator, or the one it has.
func (b settingsBody) name(has string) string {
	if b.Name == nil {
		return has
	}
	if name := identity.CleanTyped(*b.Name); name != "" {
		return name
	}
	return has
}

func readSettings(data []byte) (settingsBody, error) {
	var in settingsBody
	if err := object(data, &in); err != nil {
		return in, malformed(err)
	}
	if in.Name != nil && utf8.RuneCountInString(*in.Name) > maxDeviceName {
		return in, malformed(errors.New("name is too long"))
	}
	return in, nil
}

// standing is what status answers, and whatever changes how an authenticator
// stands.
type standing struct {
	Authenticator string            `json:"authenticator"`
	Tenant        string            `json:"tenant"`
	Organisation  string            `json:"organisation"`
	User          string            `json:"user"`
	Serial        string            `json:"serial"`
	Name          string            `json:"name"`
	State         identity.State    `json:"state"`
	Template      activatedTemplate `json:"template"`
	PIN           *standingPIN      `json:"pin,omitempty"`
	Push          standingPush      `json:"push"`
	Time          int64             `json:"time"`
}

type standingPush struct {
	State   identity.PushState `json:"state"`
	Allowed bool               `json:"allowed"`
	Until   int64              `json:"until,omitempty"`
	Web     *standingWeb       `json:"web,omitempty"`
}

// status tells how an authenticator stands, in every state in which its key is
// known: it is how an app learns that it was revoked.
func (a *API) status(ctx context.Context, m message) (any, error) {
	app, err := a.db.Authenticators().Get(ctx, m.app.Tenant, m.app.ID)
	if err != nil {
		return nil, err
	}
	tenant, err := a.db.Tenants().Get(ctx, app.Tenant)
	if err != nil {
		return nil, err
	}
	user, err := userOf(ctx, a.db.Reader, app)
	if err != nil {
		return nil, err
	}
	allowed, err := pushAllowed(ctx, a.db.Reader, app)
	if err != nil {
		return nil, err
	}
	now := a.db.Now()
	s := standing{Authenticator: app.ID, Tenant: tenant.Slug, Organisation: tenant.OrganisationName(), User: user.Name,
		Serial: app.Serial, Name: app.Name, State: app.State(), Time: now.Unix(),
		Push: standingPush{State: app.Push(now), Allowed: allowed}}
	if s.Push.State == identity.PushLocked {
		s.Push.Until = app.PushLocked.Unix()
	}
	if s.Push.Web, err = a.webPush(ctx, m); err != nil {
		return nil, err
	}
	s.Template, s.PIN, err = a.pinStands(ctx, app)
	return s, err
}

// userOf returns the user an authenticator belongs to.
func userOf(ctx context.Context, r store.Reader, app identity.Authenticator) (identity.User, error) {
	user, err := authenticator.Holder(ctx, r, app)
	if errors.Is(err, identity.NotFound) {
		err = unknownApp(err)
	}
	return user, err
}

// pushAllowed reports whether an authenticator may have push as the tenant's
// platforms stand now (PUSH-6).
func pushAllowed(ctx context.Context, r store.Reader, app identity.Authenticator) (bool, error) {
	platforms, err := store.ReadPolicy[policy.Platforms](ctx, r, app.Tenant)
	return platforms.PushOn(app.Platform), err
}

// settings switches push on or off, and renames.
func (a *API) settings(ctx context.Context, m message) (any, error) {
	in, err := readSettings(m.body)
	if err != nil {
		return nil, err
	}
	err = a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if app.State() != identity.Active {
			return notInState(app.State())
		}
		if err := authenticator.Rename(ctx, tx, app, in.name(app.Name)); err != nil {
			return err
		}
		if in.Push == nil {
			return nil
		}
		return authenticator.SetPush(ctx, tx, app, *in.Push)
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

// remove gives an authenticator up: the app destroys its key, so nothing must
// wait for its answers. One that is revoked already stays so.
func (a *API) remove(ctx context.Context, m message) (any, error) {
	if err := object(m.body, &struct{}{}); err != nil {
		return nil, malformed(err)
	}
	err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		switch app.State() {
		case identity.Revoked:
			return nil
		case identity.Pending:
			user, err := userOf(ctx, tx.Reader, app)
			if err != nil {
				return err
			}
			return authenticator.VoidActivation(ctx, tx, app.Tenant, user.ID, "removed in the app")
		}
		return authenticator.Revoke(ctx, tx, app, "removed in the app")
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

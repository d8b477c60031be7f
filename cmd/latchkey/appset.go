package main

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

type appSet struct {
	Application      string  `arg:"" help:"Its name, entityID or client id, or id."`
	Name             *string `help:"What people know it by."`
	Home             *string `placeholder:"URL" help:"Its own entry page; empty takes it away."`
	Metadata         string  `placeholder:"FILE-or-URL" help:"SAML: take over this metadata. An address is fetched from again and again; a file ends that. - is standard input."`
	Refresh          bool    `help:"SAML: fetch the metadata now from where it comes from."`
	NameID           string  `name:"name-id" enum:",persistent,transient,email,unspecified,requested" default:"" help:"SAML: the format of NameIDs it is given: persistent, transient, email or unspecified, whatever it asks for; requested goes by its requests and its metadata."`
	CannotShowNumber *bool   `negatable:"can-show-number" help:"It has no screen to show a number on: no push that needs one, and passcodes instead."`
	PlainPush        *bool   `name:"push-without-presence" negatable:"" help:"Where it cannot show a number, a push without a presence check is allowed."`
	appSetOIDC
}

func (appSet) Help() string {
	return `Only what is named changes, and the running server goes by it at once. An address that is taken away gets no answer any more, not even to a login under way.

Examples:

    latchkey app set Wiki --add-redirect-uri https://wiki.example.org/callback2
    latchkey app set Wiki --new-secret
    latchkey app set Wiki --algorithm ES256 --no-id-token-claims
    latchkey app set Payroll --metadata https://payroll.example.org/saml/metadata
    latchkey app set Payroll --refresh
    latchkey app set Payroll --cannot-show-number --no-push-without-presence`
}

// ofSAML reports whether a flag was given that only SAML applications have.
func (c *appSet) ofSAML() bool { return c.fromMetadata() || c.NameID != "" }

// fromMetadata reports whether metadata is to be read.
func (c *appSet) fromMetadata() bool { return c.Metadata != "" || c.Refresh }

// ofAny reports whether a flag was given that every application has.
func (c *appSet) ofAny() bool {
	return c.Name != nil || c.Home != nil || c.CannotShowNumber != nil || c.PlainPush != nil
}

// check refuses flags that exclude each other.
func (c *appSet) check() error {
	switch {
	case !c.ofAny() && !c.ofOIDC() && !c.ofSAML():
		return usageErrorf("there is nothing to change; see \"latchkey app set --help\"")
	case c.Metadata != "" && c.Refresh:
		return usageErrorf("--metadata and --refresh exclude each other")
	case c.Home != nil:
		if err := checkHome(*c.Home); err != nil {
			return err
		}
	}
	return c.appSetOIDC.check()
}

// Run changes an application.
func (c *appSet) Run(ctx context.Context, s *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	given, err := s.givenSecret(c.ClientSecret)
	if err != nil {
		return err
	}
	c.ClientSecret = given
	var metadata []byte
	if c.Metadata != "" && !admin.IsAddress(c.Metadata) {
		if metadata, err = s.readFile(c.Metadata, samlsp.MaxMetadata+1); err != nil {
			return err
		}
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		app, err := ts.application(ctx, c.Application)
		if err != nil {
			return err
		}
		switch {
		case c.ofSAML() && app.Protocol != identity.SAML:
			return usageErrorf("%s speaks no SAML: it has no metadata", app.Name)
		case c.ofOIDC() && app.Protocol != identity.OIDC:
			return usageErrorf("%s speaks no OpenID Connect: it has neither redirect URIs nor a client secret", app.Name)
		}
		changes, err := c.applyMetadata(ctx, s, ts, app, metadata)
		if err != nil {
			return err
		}
		secret, err := c.change(ctx, ts, app)
		if err != nil {
			return err
		}
		return c.print(ctx, s, ts, app.ID, changes, secret)
	})
}

// applyMetadata applies metadata, and returns what that changed.
func (c *appSet) applyMetadata(ctx context.Context, s *shell, ts tenantScope, app identity.Application, metadata []byte) ([]string, error) {
	m, err := s.metadata(ts)
	switch {
	case err != nil:
		return nil, err
	case c.Refresh:
		return m.Refresh(ctx, ts.who, ts.tenant.ID, app.ID)
	case metadata != nil:
		return m.Replace(ctx, ts.who, ts.tenant.ID, app.ID, metadata)
	case c.Metadata != "":
		return m.SetSource(ctx, ts.who, ts.tenant.ID, app.ID, c.Metadata)
	}
	return nil, nil
}

// change makes the changes that the flags ask for, and returns the new client secret
// if there is one.
func (c *appSet) change(ctx context.Context, ts tenantScope, app identity.Application) (secret string, err error) {
	if !c.ofAny() && !c.ofOIDC() && c.NameID == "" {
		return "", nil
	}
	kind := audit.ApplicationChanged
	if c.changesSecret(app) {
		kind = audit.ClientSecretMade
	}
	_, _, err = admin.ChangeApplication(ctx, ts.db, ts.who, ts.tenant.ID, app.ID, kind, func(app identity.Application) (identity.Application, error) {
		if c.Name != nil {
			app.Name = *c.Name
		}
		if c.Home != nil {
			app.Home = *c.Home
		}
		overwrite(&app.CannotShowNumber, c.CannotShowNumber)
		overwrite(&app.PushWithoutPresence, c.PlainPush)
		switch {
		case c.NameID != "":
			return samlsp.WithNameID(app, nameIDFormats[c.NameID])
		case app.Protocol == identity.OIDC:
			app, secret, err = c.apply(app)
			return app, err
		}
		return app, nil
	})
	return secret, err
}

// withAdded is the list instead, or present if that is empty, with more at its end.
func withAdded(present, instead, more []string) []string {
	if len(instead) > 0 {
		present = instead
	}
	present = slices.Clone(present)
	for _, v := range more {
		if !slices.Contains(present, v) {
			present = append(present, v)
		}
	}
	return present
}

// print shows the application as it is now, what metadata changed of it, and the
// new secret.
func (c *appSet) print(ctx context.Context, s *shell, ts tenantScope, id string, changes []string, secret string) error {
	app, err := ts.db.Applications().Get(ctx, ts.tenant.ID, id)
	if err != nil {
		return err
	}
	shown, err := s.showApp(ctx, ts, app)
	if err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(struct {
			appShown
			Changes      []string `json:"changes,omitempty"`
			ClientSecret string   `json:"client_secret,omitempty"`
		}{shown, changes, secret})
	}
	if err := s.print(nil, "Changed application %s.", printable(app.Name)); err != nil {
		return err
	}
	var rows [][]string
	if c.fromMetadata() {
		if len(changes) == 0 {
			changes = []string{"nothing"}
		}
		rows = append(rows, rowPerValue("Changed by metadata", changes)...)
	}
	if secret != "" {
		rows = append(rows, []string{"Client secret", secret})
	}
	return table(s.stdout, rows)
}

type appRemove struct {
	Application string `arg:"" help:"Its name, entityID or client id, or id."`
	Yes         bool   `help:"Do not ask."`
}

func (appRemove) Help() string {
	return `Logins to it under way end, its tokens and refresh tokens are good no longer, and its identifier is free for another. People stay logged in here. What happened at it stays in the audit.

Example:

    latchkey app remove Wiki --yes`
}

type appRemoved struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
	store.ApplicationUse
}

// Run removes an application.
func (c *appRemove) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		app, err := ts.application(ctx, c.Application)
		if err != nil {
			return err
		}
		use, err := ts.db.Applications().Use(ctx, ts.tenant.ID, app.ID)
		if err != nil {
			return err
		}
		err = s.confirm(ctx, c.Yes, "Removing application %s (%s) ends %d sessions at it, %d refresh tokens and %d logins under way.",
			app.Name, app.Identifier, use.Sessions, use.Offline, use.Journeys)
		if err != nil {
			return err
		}
		if use, err = admin.RemoveApplication(ctx, ts.db, ts.who, ts.tenant.ID, app.ID); err != nil {
			return err
		}
		return s.print(appRemoved{app.ID, app.Name, app.Identifier, use}, "Removed application %s: %d sessions at it, %d refresh tokens, %d logins under way.",
			printable(app.Name), use.Sessions, use.Offline, use.Journeys)
	})
}

package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/samlsp"
)

type appRow struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Protocol   string    `json:"protocol"`
	Identifier string    `json:"identifier"` // entityID or client_id
	Home       string    `json:"home,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	DisabledAt time.Time `json:"disabled_at,omitzero"`

	CannotShowNumber    bool `json:"cannot_show_number"`    // for a presence check
	PushWithoutPresence bool `json:"push_without_presence"` // allowed where it cannot
}

func rowOfApp(a identity.Application) appRow {
	return appRow{a.ID, a.Name, string(a.Protocol), a.Identifier, a.Home, a.CreatedAt, a.DisabledAt,
		a.CannotShowNumber, a.PushWithoutPresence}
}

type appAddSAML struct {
	Metadata string `required:"" placeholder:"FILE-or-URL" help:"The service provider's metadata; - is standard input. An address is fetched from again and again."`
	Name     string `help:"What people know it by. Default: the name in the metadata, or the entityID."`
	Home     string `placeholder:"URL" help:"Its own entry page, for who wants to begin anew."`
	NameID   string `name:"name-id" enum:"persistent,transient,email,unspecified,requested" default:"requested" help:"The format of NameIDs it is given: persistent, transient, email or unspecified, whatever it asks for; requested goes by its requests and its metadata."`
}

func (appAddSAML) Help() string {
	return `What the service provider needs in turn is at the address shown: our own metadata. An address, key or certificate in its metadata that cannot be used is left out and named; the rest is taken. Metadata given as an https address is fetched again every few hours, and what changed in it, a key or an address, is taken over. An address in your own network must be allowed by outgoing_allow in the configuration.

Examples:

    latchkey app add saml --metadata payroll.xml --name Payroll --home https://payroll.example.org/
    latchkey app add saml --metadata https://payroll.example.org/saml/metadata`
}

// Run adds a SAML service provider.
func (c *appAddSAML) Run(ctx context.Context, s *shell) error {
	if err := checkHome(c.Home); err != nil {
		return err
	}
	var metadata []byte
	if !admin.IsAddress(c.Metadata) {
		var err error
		if metadata, err = s.readFile(c.Metadata, samlsp.MaxMetadata+1); err != nil {
			return err
		}
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		app, err := c.add(ctx, s, ts, metadata)
		if err != nil {
			return err
		}
		set, err := samlsp.SettingsOf(app)
		if err != nil {
			return err
		}
		ours, err := s.address(ts, "saml/metadata")
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(struct {
				appRow
				Metadata string   `json:"metadata"`
				LeftOut  []string `json:"left_out,omitempty"`
			}{rowOfApp(app), ours, set.LeftOut})
		}
		rows := [][]string{{"Name", app.Name}, {"EntityID", app.Identifier}, {"Our metadata", ours}}
		for _, part := range set.LeftOut {
			rows = append(rows, []string{"Left out", part})
		}
		return table(s.stdout, rows)
	})
}

func (c *appAddSAML) add(ctx context.Context, s *shell, ts tenantScope, metadata []byte) (identity.Application, error) {
	if metadata == nil {
		m, err := s.metadata(ts)
		if err != nil {
			return identity.Application{}, err
		}
		return m.Add(ctx, ts.who, ts.tenant.ID, c.Metadata, c.Name, c.Home, nameIDFormats[c.NameID])
	}
	app, err := samlsp.ApplicationFromMetadata(metadata, c.Name)
	if err != nil {
		return app, err
	}
	if app, err = samlsp.WithNameID(app, nameIDFormats[c.NameID]); err != nil {
		return app, err
	}
	app.Home = c.Home
	return admin.AddApplication(ctx, ts.db, ts.who, ts.tenant.ID, app)
}

// nameIDFormats are the words for formats of NameIDs. None is one that requests and
// metadata decide.
var nameIDFormats = map[string]string{"persistent": samlsp.Persistent, "transient": samlsp.Transient, "email": samlsp.EmailAddress,
	"unspecified": samlsp.Unspecified, "requested": ""}

// metadata fetches and keeps what the tenant's applications publish of themselves.
func (s *shell) metadata(ts tenantScope) (admin.Metadata, error) {
	c, err := s.config()
	if err != nil {
		return admin.Metadata{}, err
	}
	allowed, err := c.Outgoing()
	return admin.Metadata{DB: ts.db, Client: outbound.New(allowed)}, err
}

// checkHome refuses an entry page that is no web address.
func checkHome(home string) error {
	u, err := url.Parse(home)
	if home != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return usageErrorf("--home %q is no address", home)
	}
	return nil
}

type appAddOIDC struct {
	Name           string   `required:"" help:"What people know it by."`
	RedirectURIs   []string `name:"redirect-uri" required:"" sep:"none" placeholder:"URI" help:"Where answers may go, exactly; may be repeated."`
	PostLogoutURIs []string `name:"post-logout-uri" sep:"none" placeholder:"URI" help:"Where people may be sent after logging out, exactly; may be repeated."`
	Origins        []string `name:"origin" sep:"none" placeholder:"ORIGIN" help:"Of pages that call us from a browser; may be repeated. Default: none; for a public application those of its redirect URIs."`
	ClientID       string   `placeholder:"ID" help:"Its client_id. Default: one is made."`
	ClientSecret   string   `placeholder:"SECRET" help:"The secret that each copy of a native application has built in; \"-\" reads it from standard input. Default: one is made."`
	Home           string   `placeholder:"URL" help:"Its own entry page, for who wants to begin anew."`
	Public         bool     `help:"It runs on people's devices and can keep no secret; it must use PKCE."`
	Native         bool     `help:"It is an installed program: schemes of its own, any port of a loopback address."`
	Offline        bool     `help:"It may have refresh tokens (offline_access)."`
	Algorithm      string   `enum:"RS256,ES256,EdDSA" default:"RS256" help:"Of its ID tokens: RS256, which every application reads, ES256 or EdDSA, which are smaller and faster."`
	IDTokenClaims  bool     `name:"id-token-claims" negatable:"" default:"true" help:"The claims of the granted scopes (profile, email, groups) stand in its ID tokens, not at userinfo alone."`
}

func (appAddOIDC) Help() string {
	return `The client secret is shown once; only its hash is kept. One that is built into an app from a store is known to everybody who has the app: with --client-secret the app must use PKCE, and may not introspect.

Examples:

    latchkey app add oidc --name Wiki --redirect-uri https://wiki.example.org/callback
    latchkey app add oidc --name Files --native --public --redirect-uri oc://ios.owncloud.com`
}

// Run adds an OpenID Connect relying party.
func (c *appAddOIDC) Run(ctx context.Context, s *shell) error {
	given, err := s.givenSecret(c.ClientSecret)
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		app, secret, err := oidcclient.New(c.Name, oidcclient.Options{ClientID: c.ClientID, RedirectURIs: c.RedirectURIs,
			PostLogoutURIs: c.PostLogoutURIs, Origins: c.Origins, Public: c.Public, Native: c.Native, Offline: c.Offline,
			Algorithm: c.Algorithm, LeanIDToken: !c.IDTokenClaims, Home: c.Home, Secret: given})
		if err != nil {
			return err
		}
		if app, err = admin.AddApplication(ctx, ts.db, ts.who, ts.tenant.ID, app); err != nil {
			return err
		}
		issuer, err := s.address(ts, "")
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(struct {
				appRow
				Issuer       string `json:"issuer"`
				ClientID     string `json:"client_id"`
				ClientSecret string `json:"client_secret,omitempty"`
			}{rowOfApp(app), issuer, app.Identifier, secret})
		}
		rows := [][]string{{"Name", app.Name}, {"Issuer", issuer}, {"Client id", app.Identifier}}
		if secret != "" {
			rows = append(rows, []string{"Client secret", secret})
		}
		return table(s.stdout, rows)
	})
}

// givenSecret is a client secret from the command line or, for "-", from standard input.
func (s *shell) givenSecret(typed string) (string, error) {
	if typed != "-" {
		return typed, nil
	}
	data, err := s.readFile("-", maxLine)
	if err != nil {
		return "", err
	}
	if typed = strings.TrimSpace(string(data)); typed == "" {
		return "", usageErrorf("standard input has no secret")
	}
	return typed, nil
}

// address is the absolute address of a path of the tenant, which may be empty.
func (s *shell) address(ts tenantScope, path string) (string, error) {
	c, err := s.config()
	if err != nil {
		return "", err
	}
	base, err := c.Base()
	if err != nil {
		return "", err
	}
	return base.JoinPath("t", ts.tenant.Slug, path).String(), nil
}

type appList struct{}

func (appList) Help() string { return "Example:\n\n    latchkey app list" }

// Run lists the applications by name. The tenant's own pages are among them:
// policies can name them.
func (appList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		var rows []appRow
		for a, err := range ts.db.Applications().All(ctx, ts.tenant.ID) {
			if err != nil {
				return err
			}
			rows = append(rows, rowOfApp(a))
		}
		return list(s, rows, []string{"NAME", "PROTOCOL", "IDENTIFIER", "ID"}, func(a appRow) []string {
			return []string{a.Name, a.Protocol, a.Identifier, a.ID}
		})
	})
}

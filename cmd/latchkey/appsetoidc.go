package main

import (
	"cmp"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
)

// appSetOIDC are the flags of "app set" that OpenID Connect applications have: all that
// "app add oidc" sets, and how to add to lists and take from them.
type appSetOIDC struct {
	RedirectURIs     []string `name:"redirect-uri" sep:"none" placeholder:"URI" help:"OpenID Connect: where answers may go, and nowhere else; may be repeated."`
	AddRedirectURI   []string `name:"add-redirect-uri" sep:"none" placeholder:"URI" help:"OpenID Connect: where answers may go too; may be repeated."`
	PostLogoutURIs   []string `name:"post-logout-uri" sep:"none" placeholder:"URI" help:"OpenID Connect: where people may be sent after logging out, and nowhere else; may be repeated."`
	AddPostLogoutURI []string `name:"add-post-logout-uri" sep:"none" placeholder:"URI" help:"OpenID Connect: where people may be sent too; may be repeated."`
	NoPostLogoutURI  bool     `name:"no-post-logout-uri" help:"OpenID Connect: people are sent nowhere after logging out."`
	Origins          []string `name:"origin" sep:"none" placeholder:"ORIGIN" help:"OpenID Connect: of pages that call us from a browser, and of no others; may be repeated."`
	AddOrigin        []string `name:"add-origin" sep:"none" placeholder:"ORIGIN" help:"OpenID Connect: of pages that call us too; may be repeated."`
	NoOrigin         bool     `name:"no-origin" help:"OpenID Connect: no pages call us from a browser."`
	FollowOrigins    bool     `name:"follow-origins" help:"OpenID Connect: pages of its redirect URIs call us from a browser, whatever these become."`
	ClientID         string   `placeholder:"ID" help:"OpenID Connect: another client_id; the old one is unknown from then on."`
	ClientSecret     string   `placeholder:"SECRET" help:"OpenID Connect: the secret that each copy of a native application has built in; \"-\" reads it from standard input."`
	NewSecret        bool     `help:"OpenID Connect: make a new client secret, shown once. The old one is good no longer."`
	Public           *bool    `negatable:"" help:"OpenID Connect: it can keep no secret and has none; --no-public makes one, shown once."`
	Native           *bool    `negatable:"" help:"OpenID Connect: it is an installed program."`
	Offline          *bool    `negatable:"" help:"OpenID Connect: it may have refresh tokens; without, those issued are refused."`
	Algorithm        string   `enum:",RS256,ES256,EdDSA" default:"" help:"OpenID Connect: of its ID tokens: RS256, ES256 or EdDSA."`
	IDTokenClaims    *bool    `name:"id-token-claims" negatable:"" help:"OpenID Connect: the claims of the granted scopes stand in its ID tokens, not at userinfo alone."`
}

// ofOIDC reports whether a flag was given that only OpenID Connect applications have.
func (c *appSetOIDC) ofOIDC() bool {
	lists := len(c.RedirectURIs) + len(c.AddRedirectURI) + len(c.PostLogoutURIs) + len(c.AddPostLogoutURI) + len(c.Origins) + len(c.AddOrigin)
	return lists > 0 || c.NoPostLogoutURI || c.NoOrigin || c.FollowOrigins || c.NewSecret ||
		c.Public != nil || c.Native != nil || c.Offline != nil || c.IDTokenClaims != nil ||
		cmp.Or(c.ClientID, c.ClientSecret, c.Algorithm) != ""
}

// check refuses flags that exclude each other.
func (c *appSetOIDC) check() error {
	switch {
	case c.NoPostLogoutURI && len(c.PostLogoutURIs)+len(c.AddPostLogoutURI) > 0:
		return usageErrorf("--no-post-logout-uri goes with no other")
	case c.NoOrigin && (c.FollowOrigins || len(c.Origins)+len(c.AddOrigin) > 0):
		return usageErrorf("--no-origin goes with no other")
	case c.ClientSecret != "" && c.NewSecret:
		return usageErrorf("--client-secret and --new-secret exclude each other")
	}
	return nil
}

// changesSecret reports whether the application gets another client secret.
func (c *appSetOIDC) changesSecret(app identity.Application) bool {
	if c.Public == nil || *c.Public {
		return c.NewSecret || c.ClientSecret != ""
	}
	o, err := oidcclient.OptionsOf(app)
	return c.NewSecret || c.ClientSecret != "" || err == nil && o.Public
}

// apply changes an application, and returns its new client secret if one was made.
func (c *appSetOIDC) apply(app identity.Application) (identity.Application, string, error) {
	o, err := oidcclient.OptionsOf(app)
	if err != nil {
		return app, "", err
	}
	o.RedirectURIs = withAdded(o.RedirectURIs, c.RedirectURIs, c.AddRedirectURI)
	o.PostLogoutURIs = withAdded(o.PostLogoutURIs, c.PostLogoutURIs, c.AddPostLogoutURI)
	if c.NoPostLogoutURI {
		o.PostLogoutURIs = nil
	}
	o.Origins = withAdded(o.Origins, c.Origins, c.AddOrigin)
	switch {
	case c.NoOrigin:
		o.Origins, o.FollowOrigins = nil, false
	case c.FollowOrigins:
		o.FollowOrigins = true
	case len(c.Origins) > 0:
		o.FollowOrigins = false
	case c.Public != nil && *c.Public && !o.Public && len(o.Origins) == 0: // as a new one
		o.FollowOrigins = true
	}
	o.ClientID, o.Algorithm = cmp.Or(c.ClientID, o.ClientID), cmp.Or(c.Algorithm, o.Algorithm)
	o.Secret, o.NewSecret = c.ClientSecret, c.NewSecret
	overwrite(&o.Public, c.Public)
	if c.ClientSecret != "" && c.Public == nil {
		o.Public = false
	}
	overwrite(&o.Native, c.Native)
	overwrite(&o.Offline, c.Offline)
	if c.IDTokenClaims != nil {
		o.LeanIDToken = !*c.IDTokenClaims
	}
	return oidcclient.WithOptions(app, o)
}

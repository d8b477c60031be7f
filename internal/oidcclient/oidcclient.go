// Package oidcclient is what we know of OpenID Connect relying parties: it checks
// what an operator registers, keeps it as an application's configuration, and
// says whether an address is one of those registered.
//
// Operators' acts write that configuration, and package oidc answers requests by
// it. Neither depends on the other: both stand on this package.
package oidcclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Options say what an application may do.
type Options struct {
	ClientID       string   // empty makes one
	RedirectURIs   []string // where answers may go: exactly these
	PostLogoutURIs []string // where people may be sent after logging out: exactly these
	Origins        []string // of pages that call us from a browser, such as "https://app.example.org"
	FollowOrigins  bool     // the origins of RedirectURIs are among them; so it is for a new public application without Origins
	Public         bool     // runs on people's devices and can keep no secret; must use PKCE
	Native         bool     // an installed program: schemes of its own, and any port of a loopback address
	Offline        bool     // may have refresh tokens (scope offline_access)
	Algorithm      string   // of its ID tokens: signingkey.RS256, which an empty one means, ES256 or EdDSA
	LeanIDToken    bool     // claims of the granted scopes come from userinfo alone, and are not in the ID token too
	Home           string   // the application's own entry page; may be empty
	Secret         string   // the client secret that each copy of a native application has built in; empty is none
	NewSecret      bool     // a new client secret takes the place of the present one
}

// A Config is the JSON in an application's row. A field that came later is one whose
// absence keeps what applications stored before it were used to.
type Config struct {
	SecretHash     string   `json:"secret_hash,omitempty"`     // SHA-256; empty for a public application
	SecretBuiltIn  bool     `json:"secret_built_in,omitempty"` // each copy of the application has it, so it proves nothing
	Native         bool     `json:"native,omitempty"`
	Offline        bool     `json:"offline,omitempty"`
	Algorithm      string   `json:"algorithm"`
	IDTokenClaims  bool     `json:"id_token_claims,omitempty"` // claims of the granted scopes stand in the ID token too
	RedirectURIs   []string `json:"redirect_uris"`
	PostLogoutURIs []string `json:"post_logout_uris,omitempty"`
	Origins        []string `json:"origins,omitempty"`
	FollowOrigins  bool     `json:"follow_origins,omitempty"` // the origins of RedirectURIs are origins too
}

// New makes an application of options, and its client secret unless
// it is public. The secret is shown once: only its SHA-256 is kept. Without an
// algorithm, ID tokens are signed with RS256, which is what an application that says
// nothing expects (OpenID Connect Dynamic Client Registration 1.0, section 2). The
// error is an identity.Invalid that names every field that is wrong.
func New(name string, o Options) (app identity.Application, clientSecret string, err error) {
	if o.Algorithm == "" {
		o.Algorithm = signingkey.RS256
	}
	o.FollowOrigins = o.FollowOrigins || o.Public && len(o.Origins) == 0
	app = identity.Application{ID: identity.NewID(identity.ApplicationID), Name: name, Protocol: identity.OIDC, Config: []byte(`{}`)}
	if o.ClientID == "" {
		o.ClientID = app.ID
	}
	if app, clientSecret, err = WithOptions(app, o); err != nil {
		return identity.Application{}, "", err
	}
	return app, clientSecret, nil
}

// OptionsOf reads what an application may do. Its secret is not among it.
func OptionsOf(app identity.Application) (Options, error) {
	c, err := Read(app)
	if err != nil {
		return Options{}, err
	}
	return Options{ClientID: app.Identifier, RedirectURIs: c.RedirectURIs, PostLogoutURIs: c.PostLogoutURIs, Origins: c.Origins,
		FollowOrigins: c.FollowOrigins, Public: c.Public(), Native: c.Native, Offline: c.Offline, Algorithm: c.Algorithm,
		LeanIDToken: !c.IDTokenClaims, Home: app.Home}, nil
}

// WithOptions returns app with all that o says in place of its own. The client secret
// stays where o has neither another nor a wish for a new one. A new one is returned, to
// be shown once: an application that was public needs one too. The error is that of
// [New].
func WithOptions(app identity.Application, o Options) (changed identity.Application, clientSecret string, err error) {
	c, err := Read(app)
	if err != nil {
		return app, "", err
	}
	app.Identifier = o.ClientID
	if err := o.validate(app, c.SecretBuiltIn && !o.NewSecret); err != nil {
		return app, "", &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	switch {
	case o.Public:
		c.SecretHash, c.SecretBuiltIn = "", false
	case o.Secret != "":
		c.SecretHash, c.SecretBuiltIn = store.Hash(o.Secret), true
	case o.NewSecret || c.SecretHash == "":
		clientSecret = identity.NewSecret()
		c.SecretHash, c.SecretBuiltIn = store.Hash(clientSecret), false
	}
	app.Home = o.Home
	c.Native, c.Offline, c.Algorithm, c.IDTokenClaims = o.Native, o.Offline, o.Algorithm, !o.LeanIDToken
	c.RedirectURIs, c.PostLogoutURIs, c.Origins, c.FollowOrigins = o.RedirectURIs, o.PostLogoutURIs, o.Origins, o.FollowOrigins
	app.Config, err = json.Marshal(c)
	return app, clientSecret, err
}

// Algorithms lists what ID tokens may be signed with, the default first.
var Algorithms = []string{signingkey.RS256, signingkey.ES256, signingkey.EdDSA}

// clientID keeps to what needs no escaping in a URL or a Basic header.
var clientID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// builtIn is what a secret that an application brings with it is made of (RFC 6749,
// appendix A.2).
var builtIn = regexp.MustCompile(`^[!-~]{1,256}$`)

// validate says what is wrong; hasBuiltIn, whether the present secret of app is one that
// each copy of it has.
func (o Options) validate(app identity.Application, hasBuiltIn bool) error {
	var wrong []error
	check := func(field, value string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s %q: %w", field, value, err))
		}
	}
	if identity.CleanTyped(app.Name) == "" || len(app.Name) > identity.MaxName {
		check("name", app.Name, fmt.Errorf("must have from 1 to %d bytes", identity.MaxName))
	}
	if !clientID.MatchString(app.Identifier) {
		check("client id", app.Identifier, errors.New("must be 1 to 64 of A-Z a-z 0-9 . _ ~ -"))
	}
	if !slices.Contains(Algorithms, o.Algorithm) {
		check("algorithm", o.Algorithm, fmt.Errorf("must be %s", strings.Join(Algorithms, ", ")))
	}
	if err := o.validateSecret(hasBuiltIn); err != nil {
		wrong = append(wrong, fmt.Errorf("client secret: %w", err))
	}
	if len(o.RedirectURIs) == 0 {
		wrong = append(wrong, errors.New("redirect URI: must have at least one"))
	}
	for _, uri := range o.RedirectURIs {
		check("redirect URI", uri, address(uri, o.Native))
	}
	for _, uri := range o.PostLogoutURIs {
		check("post-logout URI", uri, address(uri, o.Native))
	}
	for _, origin := range o.Origins {
		err := address(origin, o.Native)
		if u, bad := url.Parse(origin); err == nil && (bad != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host) {
			err = errors.New("must be scheme, host and port alone")
		}
		check("origin", origin, err)
	}
	if o.Home != "" {
		check("home", o.Home, address(o.Home, false))
	}
	return errors.Join(wrong...)
}

// validateSecret keeps a secret that each copy has to applications that are installed:
// on a server it would be one that others know.
func (o Options) validateSecret(hasBuiltIn bool) error {
	switch {
	case o.Public && (o.Secret != "" || o.NewSecret):
		return errors.New("this is a public application: it has no client secret")
	case o.Secret != "" && o.NewSecret:
		return errors.New("either the one that is given, or a new one")
	case o.Secret != "" && !o.Native:
		return errors.New("only a native application brings one with it; any other gets one made here")
	case o.Secret != "" && !builtIn.MatchString(o.Secret):
		return errors.New("must be 1 to 256 printable characters of ASCII, without spaces")
	case hasBuiltIn && !o.Native && !o.Public:
		return errors.New("each copy of the native application knows it: have a new one made")
	}
	return nil
}

// Read reads an application's configuration. One that is not understood whole is
// an error: we do not act on it.
func Read(app identity.Application) (*Config, error) {
	c := new(Config)
	dec := json.NewDecoder(bytes.NewReader(app.Config))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("oidcclient: configuration of %s: %w", app.ID, err)
	}
	return c, nil
}

// Public reports whether the application can keep no secret, and has none.
func (c *Config) Public() bool { return c.SecretHash == "" }

// Confidential reports whether the application's secret proves that it is the
// application: one that each copy of it has built in does not (RFC 8252, section 8.5).
func (c *Config) Confidential() bool { return !c.Public() && !c.SecretBuiltIn }

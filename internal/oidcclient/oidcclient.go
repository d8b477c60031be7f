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
	Public         bool     // runs on people's devices and can keep no secret; must use PKCE
	Native         bool     // an installed program: custom schemes, and any port of a loopback address
	Offline        bool     // may have refresh tokens (scope offline_access)
	Algorithm      string   // of its ID tokens: signingkey.ES256, which an empty one means, or signingkey.RS256
	Home           string   // the application's own entry page; may be empty
}

// A Config is the JSON in an application's row.
type Config struct {
	SecretHash     string   `json:"secret_hash,omitempty"` // SHA-256; empty for a public application
	Native         bool     `json:"native,omitempty"`
	Offline        bool     `json:"offline,omitempty"`
	Algorithm      string   `json:"algorithm"`
	RedirectURIs   []string `json:"redirect_uris"`
	PostLogoutURIs []string `json:"post_logout_uris,omitempty"`
	Origins        []string `json:"origins,omitempty"`
}

// New makes an application of options, and its client secret unless
// it is public. The secret is shown once: only its SHA-256 is kept. The error
// is an identity.Invalid that names every field that is wrong.
func New(name string, o Options) (app identity.Application, clientSecret string, err error) {
	if o.Algorithm == "" {
		o.Algorithm = signingkey.ES256
	}
	app = identity.Application{ID: identity.NewID(identity.ApplicationID), Name: name, Protocol: identity.OIDC,
		Identifier: o.ClientID, Home: o.Home}
	if app.Identifier == "" {
		app.Identifier = app.ID
	}
	if err := o.validate(app); err != nil {
		return identity.Application{}, "", &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	c := Config{Native: o.Native, Offline: o.Offline, Algorithm: o.Algorithm,
		RedirectURIs: o.RedirectURIs, PostLogoutURIs: o.PostLogoutURIs, Origins: o.Origins}
	if !o.Public {
		clientSecret = identity.NewSecret()
		c.SecretHash = store.Hash(clientSecret)
	}
	app.Config, err = json.Marshal(c)
	return app, clientSecret, err
}

// OptionsOf reads what an application may do.
func OptionsOf(app identity.Application) (Options, error) {
	c, err := Read(app)
	if err != nil {
		return Options{}, err
	}
	return Options{ClientID: app.Identifier, RedirectURIs: c.RedirectURIs, PostLogoutURIs: c.PostLogoutURIs, Origins: c.Origins,
		Public: c.Public(), Native: c.Native, Offline: c.Offline, Algorithm: c.Algorithm, Home: app.Home}, nil
}

// WithOptions returns app with the addresses, origins and home of o in place of
// its own. What it was registered as stays: its client id, whether it keeps a
// secret, what it may do. The error is that of [New].
func WithOptions(app identity.Application, o Options) (identity.Application, error) {
	c, err := Read(app)
	if err != nil {
		return app, err
	}
	o.Native, o.Algorithm = c.Native, c.Algorithm
	if err := o.validate(app); err != nil {
		return app, &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	app.Home = o.Home
	c.RedirectURIs, c.PostLogoutURIs, c.Origins = o.RedirectURIs, o.PostLogoutURIs, o.Origins
	app.Config, err = json.Marshal(c)
	return app, err
}

// WithNewSecret returns app with a new client secret, and the secret, which is
// shown once. The old one is good no longer. A public application has none: an
// identity.Invalid.
func WithNewSecret(app identity.Application) (changed identity.Application, clientSecret string, err error) {
	c, err := Read(app)
	if err != nil {
		return app, "", err
	}
	if c.Public() {
		return app, "", &identity.Error{Kind: identity.Invalid, Key: "error.invalid",
			Err: fmt.Errorf("%q is a public application: it has no client secret", app.Name)}
	}
	clientSecret = identity.NewSecret()
	c.SecretHash = store.Hash(clientSecret)
	app.Config, err = json.Marshal(c)
	return app, clientSecret, err
}

// clientID keeps to what needs no escaping in a URL or a Basic header.
var clientID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

func (o Options) validate(app identity.Application) error {
	var wrong []error
	check := func(field, value string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s %q: %w", field, value, err))
		}
	}
	if strings.TrimSpace(app.Name) == "" || len(app.Name) > identity.MaxName {
		check("name", app.Name, fmt.Errorf("must have from 1 to %d bytes", identity.MaxName))
	}
	if !clientID.MatchString(app.Identifier) {
		check("client id", app.Identifier, errors.New("must be 1 to 64 of A-Z a-z 0-9 . _ ~ -"))
	}
	if o.Algorithm != signingkey.ES256 && o.Algorithm != signingkey.RS256 {
		check("algorithm", o.Algorithm, errors.New("must be ES256 or RS256"))
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
		err := address(origin, false)
		if u, bad := url.Parse(origin); err == nil && (bad != nil || origin != u.Scheme+"://"+u.Host) {
			err = errors.New("must be scheme, host and port alone")
		}
		check("origin", origin, err)
	}
	if o.Home != "" {
		check("home", o.Home, address(o.Home, false))
	}
	return errors.Join(wrong...)
}

// unsafe finds what no address of ours contains: what is not printable ASCII,
// what browsers read otherwise than servers do, and wildcards, which would look
// as if they worked.
var unsafe = regexp.MustCompile(`[^!-~]|[\\"<>^{|}*]|` + "`")

// address says why people must not be sent to uri; nil when they may be. Plain
// http is for loopback alone. A native application may also have a scheme of
// its own: a domain name turned round (RFC 8252, section 7.1), whose dot keeps
// out javascript: and data:.
func address(uri string, native bool) error {
	if len(uri) > 2048 {
		return errors.New("must not be longer than 2048 bytes")
	}
	if i := unsafe.FindStringIndex(uri); i != nil {
		return fmt.Errorf("must not contain %q", uri[i[0]:i[1]])
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return errors.New("must be an absolute address")
	case strings.Contains(uri, "#"):
		return errors.New("must not have a fragment")
	case u.User != nil:
		return errors.New("must not have a user name")
	case native && strings.Contains(u.Scheme, "."):
		return nil
	case u.Host != "" && !host.MatchString(u.Host):
		// It goes into form-action, where ";" would begin another directive.
		return errors.New("must have a plain host name")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	case u.Scheme == "http" && !slices.Contains(loopback, strings.TrimSuffix(u.Host, ":"+u.Port())):
		return errors.New("must begin with https://; http:// is for localhost, 127.0.0.1 and [::1] alone")
	}
	return nil
}

// host is what a host and port may be made of.
var host = regexp.MustCompile(`^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// loopback lists the hosts that are this machine.
var loopback = []string{"localhost", "127.0.0.1", "[::1]"}

// Allows reports whether uri is one of those registered: the same string, byte
// for byte. Whoever parses and compares parts is sooner or later cheated by a
// difference between parsers.
func (c *Config) Allows(registered []string, uri string) bool {
	if slices.Contains(registered, uri) {
		return true
	}
	bare, ok := portless(uri)
	return ok && c.Native && slices.ContainsFunc(registered, func(r string) bool {
		known, ok := portless(r)
		return ok && known == bare
	})
}

// portless returns a loopback address without its port, since a native
// application takes whatever port is free.
func portless(uri string) (string, bool) {
	for _, host := range loopback {
		rest, ok := strings.CutPrefix(uri, "http://"+host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			rest = strings.TrimLeft(port, "0123456789")
			if n := len(port) - len(rest); n < 1 || n > 5 {
				return "", false
			}
		}
		if rest == "" || rest[0] == '/' || rest[0] == '?' {
			return "http://" + host + rest, !unsafe.MatchString(rest) && !strings.Contains(rest, "#")
		}
	}
	return "", false
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

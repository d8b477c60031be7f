package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// A Face has the OpenID Connect endpoints of all tenants.
type Face struct {
	idp     *idp.IdP
	mu      sync.Mutex
	servers map[string]*server // by slug, which never changes; created on first use

	// The number of introspection requests that an application may make, valid or not: each costs a read
	// of the database, and a write for this count.
	introspections store.Rate
}

// New returns the OpenID Connect face of p.
func New(p *idp.IdP) *Face {
	return &Face{idp: p, servers: make(map[string]*server),
		introspections: store.Rate{Kind: "introspection", Max: 6000, Per: time.Minute}}
}

// Paths of the endpoints within a tenant.
const (
	authorizePath  = "/oauth/authorize"
	tokenPath      = "/oauth/token"
	introspectPath = "/oauth/introspect"
	userinfoPath   = "/oauth/userinfo"
	revokePath     = "/oauth/revoke"
	keysPath       = "/oauth/keys"
	logoutPath     = "/oauth/logout"
	confirmPath    = "/oauth/logout/confirm"
)

// Addresses are what an operator enters at an application that does not read the discovery document.
type Addresses struct {
	Discovery     string `json:"discovery"`
	Authorization string `json:"authorization"`
	Token         string `json:"token"`
	UserInfo      string `json:"userinfo"`
	Keys          string `json:"keys"`
	Introspection string `json:"introspection"`
	Revocation    string `json:"revocation"`
	Logout        string `json:"logout"`
}

// AddressesOf returns the addresses of an issuer's endpoints.
func AddressesOf(issuer string) Addresses {
	return Addresses{Discovery: issuer + oidc.DiscoveryEndpoint, Authorization: issuer + authorizePath, Token: issuer + tokenPath,
		UserInfo: issuer + userinfoPath, Keys: issuer + keysPath, Introspection: issuer + introspectPath, Revocation: issuer + revokePath,
		Logout: issuer + logoutPath}
}

// Routes registers the endpoints. Requests to all except the logout confirmation come from other sites, so
// they must not be wrapped in web.Site.SameOrigin. The confirmation wraps itself in it.
func (f *Face) Routes(mux *http.ServeMux) {
	site := f.idp.Site
	mux.Handle("GET /t/{tenant}"+authorizePath, site.Handle(f.authorize))
	mux.Handle("POST /t/{tenant}"+authorizePath, site.Handle(f.authorize))
	mux.Handle("GET /t/{tenant}"+logoutPath, site.Handle(f.logout))
	mux.Handle("POST /t/{tenant}"+logoutPath, site.Handle(f.logoutByPost))
	mux.Handle("POST /t/{tenant}"+confirmPath, site.SameOrigin(site.Handle(f.confirmLogout)))

	public := f.api("", "public, max-age=300")
	basic := f.api(`Basic realm="Latchkey"`, "no-store")
	bearer := f.api(`Bearer realm="Latchkey"`, "no-store")
	for _, e := range []struct {
		methods string
		path    string
		handler http.Handler
	}{
		{"GET", oidc.DiscoveryEndpoint, public},
		{"GET", keysPath, public},
		{"POST", tokenPath, basic}, // never GET, because addresses are logged and must not contain secrets
		{"POST", revokePath, basic},
		{"POST", introspectPath, basic},
		{"GET POST", userinfoPath, bearer},
	} {
		for method := range strings.FieldsSeq(e.methods + " OPTIONS") {
			mux.Handle(method+" /t/{tenant}"+e.path, e.handler)
		}
	}
}

// issuer returns a tenant's issuer. It is fixed by the configuration and never taken from a Host header:
// otherwise an attacker could make this server sign for another issuer.
func (f *Face) issuer(t identity.Tenant) string {
	return strings.TrimSuffix(f.idp.Site.URL(t, ""), "/")
}

// server returns the server of the tenant in a request's address.
func (f *Face) server(r *http.Request) (*server, error) {
	f.mu.Lock()
	s := f.servers[r.PathValue("tenant")]
	f.mu.Unlock()
	if s != nil {
		return s, nil
	}
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	s = newServer(f, t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers[t.Slug] = s
	return s, nil
}

func (f *Face) now() time.Time { return f.idp.DB.Now() }

// fromHeader passes the client's address through the library, which only passes on headers. It is overwritten
// for every request.
const fromHeader = "Latchkey-From"

// api returns the handler of endpoints that programs use. It adds what the library leaves out: challenge is
// the WWW-Authenticate header of a 401 (RFC 9110, section 11.6.1), and cache is the Cache-Control header of
// every answer (RFC 6749, section 5.1, requires no-store).
func (f *Face) api(challenge, cache string) http.Handler {
	return f.idp.Site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		s, err := f.server(r)
		if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", cache)
		if err := s.allowOrigin(w, r); err != nil {
			return err
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		// Addresses are logged by others, so no secret, code or token is read from the query.
		r.URL.RawQuery = ""
		if err := web.Form(w, r); err != nil {
			var e *identity.Error
			status := http.StatusBadRequest
			if errors.As(err, &e) {
				status = web.Status(e.Kind)
			}
			op.WriteError(w, r, op.NewStatusError(oidc.ErrInvalidRequest(), status), nil)
			return nil
		}
		omitEmpty(r.Form)
		omitEmpty(r.PostForm)
		if name, ok := repeated(r.Form); ok {
			op.WriteError(w, r, oidc.ErrInvalidRequest().WithDescription("%s is there twice", name), nil)
			return nil
		}
		w = challenger{w, challenge}
		if strings.HasSuffix(r.URL.Path, introspectPath) && !showsSecret(r) {
			op.WriteError(w, r, op.NewStatusError(oidc.ErrInvalidClient(), http.StatusUnauthorized), nil)
			return nil
		}
		r.Header.Set(fromHeader, f.idp.Site.ClientIP(r))
		http.StripPrefix("/t/"+s.tenant.Slug, s.handler).ServeHTTP(w, r)
		return nil
	})
}

// omitEmpty removes parameters without a value: they are as if they had not been sent (RFC 6749, section 3.1).
func omitEmpty(form url.Values) {
	for name, values := range form {
		given := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(given) == 0 {
			delete(form, name)
		} else {
			form[name] = given
		}
	}
}

// repeatable are the parameters that may occur several times: where a token is to be used (RFC 8707, section 2;
// RFC 8693, section 2.1). No access token of ours is limited to one, so they are not read.
var repeatable = []string{"resource", "audience"}

// repeated finds a parameter that occurs more than once. Two parsers could choose different values
// (RFC 6749, section 3.1).
func repeated(form url.Values) (name string, ok bool) {
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return name, true
		}
	}
	return "", false
}

// A challenger adds the WWW-Authenticate header to every 401.
type challenger struct {
	http.ResponseWriter
	challenge string
}

func (c challenger) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		c.Header().Set("WWW-Authenticate", c.challenge)
	}
	c.ResponseWriter.WriteHeader(status)
}

// allowOrigin allows pages of registered origins to read the answer. Credentials are never allowed, because
// no cookie is read here. A preflight request does not say which application asks, so all applications'
// origins are allowed. The request itself is checked for the origin of its own application.
func (s *server) allowOrigin(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	for app, err := range s.face.idp.DB.Applications().All(r.Context(), s.tenant.ID) {
		if err != nil {
			return err
		}
		if app.Protocol != identity.OIDC || !app.DisabledAt.IsZero() {
			continue
		}
		c, err := readClient(app)
		if err != nil {
			return err
		}
		if c.config.AllowsOrigin(origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			return nil
		}
	}
	return nil
}

// originAllowed returns false for a page of another application's origin.
func (c *client) originAllowed(header http.Header) bool {
	origin := header.Get("Origin")
	return origin == "" || c.config.AllowsOrigin(origin)
}

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

// A Face is all tenants' OpenID Connect endpoints.
type Face struct {
	idp     *idp.IdP
	mu      sync.Mutex
	servers map[string]*server // by slug, which never changes; made when first asked for

	// How often one application may ask about tokens, right or wrong: each
	// question is a read of the database, and a write for this count.
	introspections store.Rate
}

// New returns the face of the journeys of p.
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

// Addresses are what an operator enters at an application that does not read
// our discovery document.
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

// Routes mounts the endpoints. All but the answer to the logout page are
// cross-site by protocol, so they must stand outside web.Site.SameOrigin; that
// one brings it along.
func (f *Face) Routes(mux *http.ServeMux) {
	kit := f.idp.Site
	mux.Handle("GET /t/{tenant}"+authorizePath, kit.Handle(f.authorize))
	mux.Handle("POST /t/{tenant}"+authorizePath, kit.Handle(f.authorize))
	mux.Handle("GET /t/{tenant}"+logoutPath, kit.Handle(f.logout))
	mux.Handle("POST /t/{tenant}"+logoutPath, kit.Handle(f.logoutByPost))
	mux.Handle("POST /t/{tenant}"+confirmPath, kit.SameOrigin(kit.Handle(f.confirmLogout)))

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
		{"POST", tokenPath, basic}, // never GET: secrets do not belong in addresses, which logs keep
		{"POST", revokePath, basic},
		{"POST", introspectPath, basic},
		{"GET POST", userinfoPath, bearer},
	} {
		for method := range strings.FieldsSeq(e.methods + " OPTIONS") {
			mux.Handle(method+" /t/{tenant}"+e.path, e.handler)
		}
	}
}

// issuer is a tenant's issuer: fixed by the configuration, never taken from a
// Host header, or whoever sends one could make us sign for another issuer.
func (f *Face) issuer(t identity.Tenant) string {
	return strings.TrimSuffix(f.idp.Site.URL(t, ""), "/")
}

// server returns the server of the tenant a request's address names.
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

// fromHeader carries the address a call came from through the library, which
// hands on headers only. It is overwritten on every call.
const fromHeader = "Latchkey-From"

// api makes the handler of endpoints that programs call. It adds what the
// library leaves out: challenge is what a 401 must carry in WWW-Authenticate
// (RFC 9110, section 11.6.1), and cache is said of every answer (RFC 6749,
// section 5.1, demands no-store).
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
		// What is in the address is in somebody's log by now: no secret, code or
		// token is read from there.
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

// repeated finds a parameter that is there more than once, which two readers
// could take for different things (RFC 6749, section 3.1).
func repeated(form url.Values) (name string, ok bool) {
	for name, values := range form {
		if len(values) > 1 {
			return name, true
		}
	}
	return "", false
}

// A challenger adds to every 401 how to do better.
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

// allowOrigin lets pages of registered origins read the answer. Credentials
// are never allowed: nothing here looks at a cookie. A preflight does not say
// which application asks, so it is told of all of them; whether the page
// belongs to this application is checked with the call itself.
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
		if slices.Contains(c.config.Origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			return nil
		}
	}
	return nil
}

// mayCall refuses a browser's page that belongs to another application.
func (c *client) mayCall(header http.Header) bool {
	origin := header.Get("Origin")
	return origin == "" || slices.Contains(c.config.Origins, origin)
}

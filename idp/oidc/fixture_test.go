package oidc

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
)

// A fixture is a tenant with a user behind a real server. Logging in is cut
// short: whoever begins a journey in it has logged in already.
type fixture struct {
	t      testing.TB
	idp    *idp.IdP
	tenant identity.Tenant
	user   identity.User
	base   string          // of the server
	issuer string          // of the tenant
	aside  atomic.Int64    // by how far the clock is put forward
	want   journey.Request // what the last journey was asked for
	refuse idp.Refusal     // what journeys end with, if set
}

// each runs f against every database at hand.
func each(t *testing.T, f func(t *testing.T, h *fixture)) {
	t.Helper()
	storetest.EachMigrated(t, func(t *testing.T, source string) { f(t, build(t, source)) })
}

// one is a fixture on SQLite, for what does not depend on the database.
func one(t testing.TB) *fixture { return build(t, storetest.MigratedSQLite(t)) }

func build(t testing.TB, source string) *fixture {
	t.Helper()
	h := &fixture{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(h.aside.Load())) }
	db, err := store.Open(t.Context(), store.Options{Source: source, Keys: store.NewKeyring(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	site := webtest.Site(t, db, srv.URL)
	h.idp = &idp.IdP{Site: site, DB: db, Keys: &signingkey.Cache{DB: db}}
	face := New(h.idp)
	h.idp.Protocols = map[identity.Protocol]idp.Protocol{identity.OIDC: face}
	face.Routes(mux)
	mux.Handle("GET /t/{tenant}/begin/{request}", site.Handle(h.begin))
	h.base = srv.URL
	h.tenant = h.addTenant("demo")
	h.issuer = srv.URL + "/t/demo"
	h.user = h.addUser("anna.berg")
	return h
}

func (h *fixture) tx(f func(tx *store.Tx) error) {
	h.t.Helper()
	err := h.idp.DB.InTx(h.t.Context(), identity.Principal{Tenant: h.tenant.ID, Kind: identity.CommandLine}, f)
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) addTenant(slug string) identity.Tenant {
	h.t.Helper()
	t := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: slug, Name: "Example Hospital"}
	h.tx(func(tx *store.Tx) error {
		if err := tx.Tenants().Add(h.t.Context(), t); err != nil {
			return err
		}
		return signingkey.Make(h.t.Context(), tx, t)
	})
	return t
}

func (h *fixture) addUser(name string) identity.User {
	h.t.Helper()
	// A ":" in the id would split the library's own access tokens in three (trap 4).
	u := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID) + ":x", Name: name, DisplayName: "Anna Berg",
		Mail: name + "@example.org", Language: "de"}
	g := identity.Group{Tenant: h.tenant.ID, ID: identity.NewID(identity.GroupID), Name: "Nurses of " + name}
	h.tx(func(tx *store.Tx) error {
		return errors.Join(tx.Users().Add(h.t.Context(), u), tx.Groups().Add(h.t.Context(), g), tx.Groups().AddMember(h.t.Context(), h.tenant.ID, g.ID, u.ID))
	})
	return u
}

const callback = "https://rp.example/cb"

// A party is an application and what it knows.
type party struct {
	*fixture
	app    identity.Application
	secret string
}

func (h *fixture) add(name string, o oidcclient.Options) *party {
	h.t.Helper()
	if o.RedirectURIs == nil {
		o.RedirectURIs = []string{callback}
	}
	app, secret, err := oidcclient.New(name, o)
	if err != nil {
		h.t.Fatal(err)
	}
	app.Tenant = h.tenant.ID
	h.tx(func(tx *store.Tx) error {
		return errors.Join(tx.Applications().Add(h.t.Context(), app), signingkey.Ensure(h.t.Context(), tx, h.tenant.ID, o.Algorithm))
	})
	return &party{fixture: h, app: app, secret: secret}
}

// begin stands for a whole journey.
func (h *fixture) begin(w http.ResponseWriter, r *http.Request) error {
	site, ctx := h.idp.Site, r.Context()
	t, err := site.Tenant(r)
	if err != nil {
		return err
	}
	browser, err := site.EnsureBrowser(w, r, t)
	if err != nil {
		return err
	}
	session, err := site.Session(r, t)
	secret := ""
	if now := h.idp.DB.Now(); err != nil {
		secret = identity.NewSecret()
		session = identity.Session{Tenant: t.ID, ID: identity.NewID(identity.SessionID), UserID: h.user.ID, Browser: browser, Idle: time.Hour,
			ExpiresAt: now.Add(12 * time.Hour), AuthTime: now.Add(-time.Minute).Truncate(time.Second),
			Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}, {Validation: identity.SecondFactor, Method: identity.ByPasscode, At: now}}}
	}
	var reply idp.Reply
	err = h.idp.DB.InTx(ctx, site.AnonymousPrincipal(r, t), func(tx *store.Tx) error {
		stored, err := tx.Requests().Take(ctx, t.ID, r.PathValue("request"))
		if err != nil {
			return err
		}
		h.want = journey.Request{}
		if err := json.Unmarshal(stored.Wants, &h.want); err != nil {
			return err
		}
		app, err := tx.Applications().Get(ctx, t.ID, stored.Application)
		if err != nil {
			return err
		}
		protocol := h.idp.Protocols[app.Protocol]
		if h.refuse != "" {
			reply, err = protocol.Refuse(ctx, t, app, h.want.Payload, h.refuse)
			return err
		}
		if secret != "" {
			if err := tx.Sessions().Save(ctx, session, secret); err != nil {
				return err
			}
		}
		user, err := tx.Users().Get(ctx, t.ID, session.UserID)
		if err != nil {
			return err
		}
		reply, err = protocol.Grant(ctx, tx, idp.Login{Tenant: t, Application: app, User: user, Session: session, Payload: h.want.Payload,
			ACR: (journey.Rules{}).Reached(&identity.Journey{ACR: h.want.ACR, Protocol: identity.OIDC, Passed: session.Passed}), AMR: journey.References(session.Passed), AuthTime: session.AuthTime})
		return err
	})
	if err != nil {
		return err
	}
	if secret != "" {
		if err := site.SetSession(w, r, t, secret); err != nil {
			return err
		}
	}
	return reply(w, r)
}

// A browser keeps cookies and follows redirects as long as they stay with us.
type browser struct {
	h *fixture
	*http.Client
}

func (h *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), h.base) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// An answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

func (h *fixture) read(res *http.Response, err error) answer {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{res, string(body)}
}

func (b *browser) get(address string) answer {
	b.h.t.Helper()
	return b.h.read(b.Get(address))
}

// to is where an answer redirects out of the fixture; nil when it does not.
func (a answer) to(t testing.TB) *url.URL {
	t.Helper()
	if a.Header.Get("Location") == "" {
		return nil
	}
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const verifier = "a-verifier-of-at-least-forty-three-characters-in-all"

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request is a good authorization request, changed by pairs of names and
// values; an empty value takes the parameter away.
func (p *party) request(pairs ...string) url.Values {
	q := url.Values{"client_id": {p.app.Identifier}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
		"state": {"st"}, "nonce": {"n-1"}, "code_challenge": {s256(verifier)}, "code_challenge_method": {"S256"}}
	return change(q, pairs)
}

func change(q url.Values, pairs []string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

func (p *party) authorize(b *browser, pairs ...string) answer {
	p.t.Helper()
	return b.get(p.issuer + authorizePath + "?" + p.request(pairs...).Encode())
}

// code logs in and returns the code.
func (p *party) code(b *browser, pairs ...string) string {
	p.t.Helper()
	a := p.authorize(b, pairs...)
	to := a.to(p.t)
	if to == nil || to.Query().Get("code") == "" {
		p.t.Fatalf("no code but %d, to %v:\n%s", a.StatusCode, to, a.body)
	}
	return to.Query().Get("code")
}

// Tokens are what the token endpoint gave, or its error.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
	Detail  string `json:"error_description"`
}

// call posts a form to an endpoint as the application, by Basic.
func (p *party) call(path string, form url.Values, headers ...string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.secret != "" {
		r.SetBasicAuth(p.app.Identifier, p.secret)
	} else {
		form.Set("client_id", p.app.Identifier)
		body := form.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return p.read(http.DefaultClient.Do(r))
}

func (p *party) tokens(a answer) tokens {
	p.t.Helper()
	var out tokens
	if err := json.NewDecoder(bytes.NewReader([]byte(a.body))).Decode(&out); err != nil {
		p.t.Fatalf("%v in %q", err, a.body)
	}
	return out
}

// exchange shows a code at the token endpoint.
func (p *party) exchange(code string, pairs ...string) tokens {
	p.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	return p.tokens(p.call(tokenPath, change(form, pairs)))
}

func (p *party) refreshed(token string, pairs ...string) tokens {
	p.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	return p.tokens(p.call(tokenPath, change(form, pairs)))
}

// userinfo shows an access token.
func (h *fixture) userinfo(token string, headers ...string) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.issuer+userinfoPath, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return h.read(http.DefaultClient.Do(r))
}

// good reports whether an access token still works.
func (h *fixture) good(token string) bool {
	h.t.Helper()
	return h.userinfo(token).StatusCode == http.StatusOK
}

// claims reads an ID token without checking it, which independentClient does.
func (h *fixture) claims(idToken string) (header, claims map[string]any) {
	h.t.Helper()
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		h.t.Fatalf("%q is no JWT", idToken)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return header, claims
}

// later puts the clock forward.
func (h *fixture) later(d time.Duration) { h.aside.Add(int64(d)) }

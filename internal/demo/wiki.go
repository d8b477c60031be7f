package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// wikiPath is where the OpenID Connect relying party lives.
const wikiPath = "/demo/wiki/"

// Where the relying party is called back.
const (
	callbackPath  = wikiPath + "callback"
	signedOutPath = wikiPath + "signed-out"
)

// wiki is an OpenID Connect relying party: code flow with PKCE. Who is signed
// in is in a cookie, signed and encrypted, that outlives a restart.
type wiki struct {
	demo         *Demo
	clientSecret string
	clientID     string
	transfer     *httphelper.CookieHandler // state and code verifier, while somebody is at Latchkey
	cookie       *securecookie.SecureCookie

	mu sync.Mutex
	rp rp.RelyingParty // nil until discovery was asked for
}

func newWiki(d *Demo, s *state) *wiki {
	cookie := securecookie.New(s.CookieHash, s.CookieBlock)
	cookie.SetSerializer(securecookie.JSONEncoder{})
	cookie.MaxAge(int(sessionFor.Seconds()))
	return &wiki{demo: d, clientID: s.ClientID, clientSecret: s.ClientSecret, cookie: cookie,
		transfer: httphelper.NewCookieHandler(s.CookieHash, s.CookieBlock, httphelper.WithPath(wikiPath),
			httphelper.WithUnsecure(), // the demo is plain http on this machine
			httphelper.WithMaxAge(int(trackedFor.Seconds())))}
}

func (k *wiki) routes(handle func(pattern string, h http.Handler)) {
	d := k.demo
	handle("GET "+wikiPath+"{$}", d.handle(k.show))
	handle("GET "+callbackPath, d.handle(k.callback))
	handle("GET "+signedOutPath, d.handle(k.signedOut))
	handle("POST "+wikiPath+"sign-out", d.kit.SameOrigin(d.handle(k.signOut)))
}

// scopes are what the wiki wants to know of people.
var scopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, "groups"}

// ready returns the relying party once it knows the provider, by discovery.
func (k *wiki) ready(ctx context.Context) (rp.RelyingParty, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rp == nil {
		// Its keys are fetched later with the context given here.
		party, err := rp.NewRelyingPartyOIDC(context.WithoutCancel(ctx), k.demo.address("t/"+slug), k.clientID, k.clientSecret,
			k.demo.address(callbackPath), scopes, rp.WithHTTPClient(client), rp.WithPKCE(k.transfer), rp.WithSigningAlgsFromDiscovery(),
			rp.WithErrorHandler(k.refused), rp.WithUnauthorizedHandler(k.lost))
		if err != nil {
			return nil, fmt.Errorf("demo: discovery: %w", err)
		}
		k.rp = party
	}
	return k.rp, nil
}

// A visit is what the wiki's cookie holds of somebody signed in.
type visit struct {
	User  string `json:"user"`
	Token string `json:"token"` // the ID token: shown to Latchkey when signing out
	Told  []fact `json:"told"`
}

// wikiCookie holds a visit.
const wikiCookie = "wiki"

// show is the application's page. Whoever is not signed in is sent to Latchkey.
func (k *wiki) show(w http.ResponseWriter, r *http.Request) error {
	v, ok := k.visitor(r)
	if !ok {
		party, err := k.ready(r.Context())
		if err != nil {
			return err
		}
		rp.AuthURLHandler(identity.NewSecret, party)(w, r)
		return nil
	}
	return k.demo.render(w, r, http.StatusOK, application{Application: wikiName, Path: wikiPath, Protocol: oidcProtocol,
		User: v.User, Told: v.Told})
}

func (k *wiki) visitor(r *http.Request) (visit, bool) {
	var v visit
	c, err := r.Cookie(wikiCookie)
	if err != nil || k.cookie.Decode(wikiCookie, c.Value, &v) != nil {
		return visit{}, false // an old one, or another demo's
	}
	return v, true
}

// callback takes Latchkey's answer: it exchanges the code, checks the ID token,
// asks for the rest, and signs the person in.
func (k *wiki) callback(w http.ResponseWriter, r *http.Request) error {
	party, err := k.ready(r.Context())
	if err != nil {
		return err
	}
	rp.CodeExchangeHandler(rp.UserinfoCallback(k.signIn), party)(w, r)
	return nil
}

func (k *wiki) signIn(w http.ResponseWriter, r *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
	id := tokens.IDTokenClaims
	v := visit{User: info.PreferredUsername, Token: tokens.IDToken, Told: []fact{
		{"iss", id.Issuer}, {"sub", id.Subject}, {"preferred_username", info.PreferredUsername}, {"name", info.Name},
		{"email", info.Email}, {"groups", listed(info.Claims["groups"])}, {"acr", id.AuthenticationContextClassReference},
		{"amr", strings.Join(id.AuthenticationMethodsReferences, ", ")},
		{"auth_time", id.AuthTime.AsTime().UTC().Format(time.RFC3339)}, {"sid", id.SessionID}}}
	if v.User == "" {
		v.User = id.Subject
	}
	k.demo.handle(func(w http.ResponseWriter, r *http.Request) error {
		value, err := k.cookie.Encode(wikiCookie, v)
		if err != nil {
			return fmt.Errorf("demo: wiki's cookie: %w", err)
		}
		http.SetCookie(w, &http.Cookie{Name: wikiCookie, Value: value, Path: wikiPath, MaxAge: int(sessionFor.Seconds()),
			HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, wikiPath, http.StatusSeeOther)
		return nil
	}).ServeHTTP(w, r)
}

// listed is a claim that is a list, for people.
func listed(claim any) string {
	values, _ := claim.([]any) // of anything else there is nothing to list
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// refused says that Latchkey answered with an error.
func (k *wiki) refused(w http.ResponseWriter, r *http.Request, code, _, _ string) {
	k.failed(w, r, code)
}

// lost says that an answer could not be used: it belongs to another tab, or to
// a visit long ago.
func (k *wiki) lost(w http.ResponseWriter, r *http.Request, why, _ string) {
	k.demo.kit.Log.WarnContext(r.Context(), "wiki got no login", "err", why)
	k.failed(w, r, "")
}

func (k *wiki) failed(w http.ResponseWriter, r *http.Request, why string) {
	k.demo.handle(func(w http.ResponseWriter, r *http.Request) error {
		return k.demo.render(w, r, http.StatusForbidden, refusal{Application: wikiName, Path: wikiPath, Why: why})
	}).ServeHTTP(w, r)
}

// signOut ends the visit here and then, by RP-initiated logout, the session at
// Latchkey, which sends the person back.
func (k *wiki) signOut(w http.ResponseWriter, r *http.Request) error {
	v, ok := k.visitor(r)
	forget(w, wikiCookie, wikiPath)
	if !ok {
		http.Redirect(w, r, signedOutPath, http.StatusSeeOther)
		return nil
	}
	party, err := k.ready(r.Context())
	if err != nil {
		return err
	}
	query := url.Values{"id_token_hint": {v.Token}, "client_id": {k.clientID}, "post_logout_redirect_uri": {k.demo.address(signedOutPath)}}
	http.Redirect(w, r, party.GetEndSessionEndpoint()+"?"+query.Encode(), http.StatusSeeOther)
	return nil
}

func (k *wiki) signedOut(w http.ResponseWriter, r *http.Request) error {
	return k.demo.render(w, r, http.StatusOK, signedOut{Application: wikiName, Path: wikiPath})
}

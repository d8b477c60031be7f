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

// wikiPath is the path of the OpenID Connect relying party.
const wikiPath = "/demo/wiki/"

// Paths of the redirect URIs.
const (
	callbackPath  = wikiPath + "callback"
	signedOutPath = wikiPath + "signed-out"
)

// wiki is an OpenID Connect relying party: code flow with PKCE. Its session is
// a signed and encrypted cookie, which stays valid over a restart.
type wiki struct {
	demo         *Demo
	clientSecret string
	clientID     string
	transfer     *httphelper.CookieHandler // state and code verifier during a sign-in
	cookie       *securecookie.SecureCookie

	mu sync.Mutex
	rp rp.RelyingParty // nil until the discovery is done
}

func newWiki(d *Demo, s *state) *wiki {
	cookie := securecookie.New(s.CookieHash, s.CookieBlock)
	cookie.SetSerializer(securecookie.JSONEncoder{})
	cookie.MaxAge(int(sessionFor.Seconds()))
	return &wiki{demo: d, clientID: s.ClientID, clientSecret: s.ClientSecret, cookie: cookie,
		transfer: httphelper.NewCookieHandler(s.CookieHash, s.CookieBlock, httphelper.WithPath(wikiPath),
			httphelper.WithUnsecure(), // the demo is plain http on this machine
			httphelper.WithMaxAge(int(requestLifetime.Seconds())))}
}

func (k *wiki) routes(handle func(pattern string, h http.Handler)) {
	d := k.demo
	handle("GET "+wikiPath+"{$}", d.handle(k.show))
	handle("GET "+callbackPath, d.handle(k.callback))
	handle("GET "+signedOutPath, d.handle(k.signedOut))
	handle("POST "+wikiPath+"sign-out", d.site.SameOrigin(d.handle(k.signOut)))
}

// scopes are those that the wiki requests.
var scopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, "groups"}

// relyingParty returns the relying party. The first call does the discovery of
// the provider.
func (k *wiki) relyingParty(ctx context.Context) (rp.RelyingParty, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rp == nil {
		// The keys are fetched later, with the context given here.
		party, err := rp.NewRelyingPartyOIDC(context.WithoutCancel(ctx), k.demo.address("t/"+slug), k.clientID, k.clientSecret,
			k.demo.address(callbackPath), scopes, rp.WithHTTPClient(client), rp.WithPKCE(k.transfer), rp.WithSigningAlgsFromDiscovery(),
			rp.WithErrorHandler(k.showRefused), rp.WithUnauthorizedHandler(k.showUnusable))
		if err != nil {
			return nil, fmt.Errorf("demo: discovery: %w", err)
		}
		k.rp = party
	}
	return k.rp, nil
}

// A wikiSession is the content of the wiki's session cookie.
type wikiSession struct {
	User       string      `json:"user"`
	Token      string      `json:"token"` // the ID token, sent to Latchkey when signing out
	Attributes []attribute `json:"told"`
}

// wikiCookie is the name of the session cookie.
const wikiCookie = "wiki"

// show is the application's page. A browser without a session is sent to
// Latchkey.
func (k *wiki) show(w http.ResponseWriter, r *http.Request) error {
	v, ok := k.session(r)
	if !ok {
		party, err := k.relyingParty(r.Context())
		if err != nil {
			return err
		}
		rp.AuthURLHandler(identity.NewSecret, party)(w, r)
		return nil
	}
	return k.demo.render(w, r, http.StatusOK, applicationPage{Application: wikiName, Path: wikiPath, Protocol: oidcProtocol,
		User: v.User, Attributes: v.Attributes})
}

func (k *wiki) session(r *http.Request) (wikiSession, bool) {
	var v wikiSession
	c, err := r.Cookie(wikiCookie)
	if err != nil || k.cookie.Decode(wikiCookie, c.Value, &v) != nil {
		return wikiSession{}, false // an expired one, or that of another demo
	}
	return v, true
}

// callback handles Latchkey's response: it exchanges the code, verifies the ID
// token, fetches the userinfo, and signs the person in.
func (k *wiki) callback(w http.ResponseWriter, r *http.Request) error {
	party, err := k.relyingParty(r.Context())
	if err != nil {
		return err
	}
	rp.CodeExchangeHandler(rp.UserinfoCallback(k.signIn), party)(w, r)
	return nil
}

func (k *wiki) signIn(w http.ResponseWriter, r *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
	id := tokens.IDTokenClaims
	v := wikiSession{User: info.PreferredUsername, Token: tokens.IDToken, Attributes: []attribute{
		{"iss", id.Issuer}, {"sub", id.Subject}, {"preferred_username", info.PreferredUsername}, {"name", info.Name},
		{"email", info.Email}, {"groups", listText(info.Claims["groups"])}, {"acr", id.AuthenticationContextClassReference},
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

// listText is a claim with a list as text.
func listText(claim any) string {
	values, _ := claim.([]any) // anything else is no list
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// showRefused shows that Latchkey responded with an error.
func (k *wiki) showRefused(w http.ResponseWriter, r *http.Request, code, _, _ string) {
	k.showRefusal(w, r, code)
}

// showUnusable shows that a response could not be used: it belongs to another
// tab, or to an old request.
func (k *wiki) showUnusable(w http.ResponseWriter, r *http.Request, why, _ string) {
	k.demo.site.Log.WarnContext(r.Context(), "wiki: no sign-in", "err", why)
	k.showRefusal(w, r, "")
}

func (k *wiki) showRefusal(w http.ResponseWriter, r *http.Request, why string) {
	k.demo.handle(func(w http.ResponseWriter, r *http.Request) error {
		return k.demo.render(w, r, http.StatusForbidden, refusalPage{Application: wikiName, Path: wikiPath, Reason: why})
	}).ServeHTTP(w, r)
}

// signOut ends the session here and then, by RP-initiated logout, that at
// Latchkey, which sends the person back.
func (k *wiki) signOut(w http.ResponseWriter, r *http.Request) error {
	v, ok := k.session(r)
	forget(w, wikiCookie, wikiPath)
	if !ok {
		http.Redirect(w, r, signedOutPath, http.StatusSeeOther)
		return nil
	}
	party, err := k.relyingParty(r.Context())
	if err != nil {
		return err
	}
	query := url.Values{"id_token_hint": {v.Token}, "client_id": {k.clientID}, "post_logout_redirect_uri": {k.demo.address(signedOutPath)}}
	http.Redirect(w, r, party.GetEndSessionEndpoint()+"?"+query.Encode(), http.StatusSeeOther)
	return nil
}

func (k *wiki) signedOut(w http.ResponseWriter, r *http.Request) error {
	return k.demo.signedOut(w, r, wikiName, wikiPath)
}

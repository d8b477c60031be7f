package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// A request is what must be stored of an authorization request until it is answered.
type request struct {
	RedirectURI string `json:"redirect_uri"`
	State       []byte `json:"state"` // returned byte for byte
	Scope       string `json:"scope"`
	Nonce       string `json:"nonce"`
	Challenge   string `json:"challenge"`
	Subject     string `json:"subject"` // who must log in, according to the id_token_hint; empty means anybody
}

// A fault is an error of the protocol, for the application.
type fault struct{ code, description string }

// invalid returns an invalid_request fault.
func invalid(format string, args ...any) *fault {
	return &fault{"invalid_request", fmt.Sprintf(format, args...)}
}

// maxEcho is the maximum number of bytes of a value that is stored for the application and returned.
const maxEcho = 4096

// authorize handles an authorization request. For an unknown application, or an address that does not
// belong to it, it shows a page: redirecting there would be an open redirector (RFC 6749, section 4.1.2.1).
// All other faults are sent to the application.
func (f *Face) authorize(w http.ResponseWriter, r *http.Request) error {
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return err
	}
	if len(r.URL.RawQuery) > web.MaxBody {
		return &identity.Error{Kind: identity.TooLarge, Key: "error.toolarge"}
	}
	if err := web.Form(w, r); err != nil {
		return err
	}
	omitEmpty(r.Form)
	if len(r.Form["client_id"]) != 1 || len(r.Form["redirect_uri"]) != 1 {
		return &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: errors.New("oidc: client_id or redirect_uri is not there once")}
	}
	c, err := f.client(r.Context(), t, r.Form.Get("client_id"))
	if errors.Is(err, identity.NotFound) {
		return &identity.Error{Kind: identity.Invalid, Key: "error.application.unknown", Err: err}
	}
	if err != nil {
		return err
	}
	uri := r.Form.Get("redirect_uri")
	if !c.config.Allows(c.config.RedirectURIs, uri) {
		f.idp.RecordRefusal(r.Context(), idp.RefusedRequest{Application: c.app, Reason: "redirect_uri", Detail: fmt.Sprintf("redirect_uri %q is not registered", uri)})
		return &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: fmt.Errorf("oidc: redirect_uri %q is not one of %s", uri, c.GetID())}
	}
	want, payload, wrong := c.parse(r.Form)
	if wrong == nil {
		if wrong, err = f.hint(r, t, c, &want, &payload); err != nil {
			return err
		}
	}
	if wrong != nil {
		f.recordFault(r.Context(), c, *wrong)
		return f.refusal(t, payload, *wrong)(w, r)
	}
	if want.Payload, err = json.Marshal(payload); err != nil {
		return err
	}
	return f.idp.Accept(w, r, t, c.app, want)
}

// recordFault writes to the log, and with the application, what is wrong with a request of it.
func (f *Face) recordFault(ctx context.Context, c *client, wrong fault) {
	detail := wrong.description
	if detail == "" {
		detail = wrong.code
	}
	f.idp.Site.Log.InfoContext(ctx, "request refused", "application", c.app.Name, "id", c.app.ID, "reason", wrong.code, "err", detail)
	f.idp.RecordRefusal(ctx, idp.RefusedRequest{Application: c.app, Reason: wrong.code, Detail: detail})
}

// challenge is the format of an S256 code_challenge: 256 bits in base64url.
var challenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// parse reads a request whose application and redirect address are verified.
func (c *client) parse(form url.Values) (want journey.Request, payload request, wrong *fault) {
	payload.RedirectURI = form.Get("redirect_uri")
	if state := form.Get("state"); len(form["state"]) > 1 || len(state) > maxEcho {
		return want, payload, invalid("state must be there once and have no more than %d bytes", maxEcho)
	} else if state != "" {
		payload.State = []byte(state)
	}
	for name, code := range map[string]string{
		"request":      "request_not_supported",
		"request_uri":  "request_uri_not_supported", // never fetched, because it could be an internal address
		"registration": "registration_not_supported",
	} {
		if form.Has(name) {
			return want, payload, &fault{code, ""}
		}
	}
	if name, ok := repeated(form); ok {
		return want, payload, invalid("%s is there twice", name)
	}
	switch form.Get("response_type") {
	case "code":
	case "":
		return want, payload, invalid("response_type is missing")
	default:
		return want, payload, &fault{"unsupported_response_type", "Only code is supported."}
	}
	if mode := form.Get("response_mode"); mode != "" && mode != "query" {
		return want, payload, invalid("response_mode must be query")
	}
	if payload.Scope = c.allowed(form.Get("scope")); payload.Scope == "" {
		return want, payload, &fault{"invalid_scope", "scope must contain openid"}
	}
	// Nonces go into tokens, which are UTF-8, and into a database that cannot store NUL.
	payload.Nonce = form.Get("nonce")
	if len(payload.Nonce) > maxEcho || !utf8.ValidString(payload.Nonce) || strings.ContainsRune(payload.Nonce, 0) {
		return want, payload, invalid("nonce must be text of no more than %d bytes", maxEcho)
	}
	payload.Challenge = form.Get("code_challenge")
	switch method := form.Get("code_challenge_method"); {
	case payload.Challenge == "" && !c.config.Confidential():
		return want, payload, invalid("code_challenge is missing")
	case payload.Challenge == "" && method != "":
		return want, payload, invalid("code_challenge_method without code_challenge")
	case payload.Challenge != "" && (method != "S256" || !challenge.MatchString(payload.Challenge)):
		return want, payload, invalid("code_challenge_method must be S256") // plain protects from nobody who sees the request
	}
	wrong = prompts(form, &want)
	if wrong == nil {
		wrong = contexts(form, &want, strings.Fields(form.Get("acr_values")))
	}
	want.UILocales = form.Get("ui_locales")
	want.LoginHint = identity.CleanTyped(form.Get("login_hint"))
	return want, payload, wrong
}

// allowed returns the known scopes that the application may have. It is empty without openid.
func (c *client) allowed(asked string) string {
	var kept []string
	for scope := range strings.FieldsSeq(asked) {
		if slices.Contains(scopes, scope) && !slices.Contains(kept, scope) && (scope != scopeOffline || c.config.Offline) {
			kept = append(kept, scope)
		}
	}
	if !slices.Contains(kept, oidc.ScopeOpenID) {
		return ""
	}
	return strings.Join(kept, " ")
}

// prompts reads how the application wants the login to be (OpenID Connect Core, section 3.1.2.1).
func prompts(form url.Values, want *journey.Request) *fault {
	all := strings.Fields(form.Get("prompt"))
	for _, prompt := range all {
		switch prompt {
		case oidc.PromptNone:
			if want.Passive = true; len(all) > 1 {
				return invalid("prompt none must stand alone")
			}
		case oidc.PromptLogin, oidc.PromptSelectAccount: // selecting another account requires another login
			want.ForceLogin = true
		case oidc.PromptConsent: // operators consent for their organisation when they add an application
		default:
			return invalid("prompt %q is not known", strings.ToValidUTF8(prompt, ""))
		}
	}
	if given := form.Get("max_age"); given != "" {
		seconds, ok := readMaxAge(given)
		if !ok {
			return invalid("max_age must be a number of seconds")
		}
		want.MaxAge = &seconds
	}
	return nil
}

// longestMaxAge is what every longer max_age means: no login is older than thirty years. It leaves room for
// arithmetic with times.
const longestMaxAge = 30 * 365 * 24 * 60 * 60

// readMaxAge reads a number of seconds, which may have any number of digits: some applications send the greatest
// number they know for "any age".
func readMaxAge(given string) (seconds int64, ok bool) {
	if strings.Trim(given, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseInt(given, 10, 64)
	if err != nil {
		return longestMaxAge, errors.Is(err, strconv.ErrRange)
	}
	return min(seconds, longestMaxAge), true
}

// hint reads the id_token_hint, which says who the application expects to log in. It must be an ID token
// issued to this application; it may have expired. The login must then be by that user, and another user's
// session does not suffice.
func (f *Face) hint(r *http.Request, t identity.Tenant, c *client, want *journey.Request, payload *request) (*fault, error) {
	token := r.Form.Get("id_token_hint")
	if token == "" {
		return nil, nil
	}
	s, err := f.server(r)
	if err != nil {
		return nil, err
	}
	claims, ok := s.verifyHint(r.Context(), token)
	if !ok || claims.AuthorizedParty != c.GetID() {
		return invalid("id_token_hint is not an ID token given to this client"), nil
	}
	payload.Subject = claims.Subject
	if session, err := f.idp.Site.Session(r, t); err == nil && session.UserID != claims.Subject {
		want.ForceLogin = true
	}
	user, err := f.idp.DB.Users().Get(r.Context(), t.ID, claims.Subject)
	if err == nil && want.LoginHint == "" {
		want.LoginHint = user.Name
	}
	if errors.Is(err, identity.NotFound) {
		err = nil
	}
	return nil, err
}

// verifyHint verifies an ID token issued by this server and returns its claims.
func (s *server) verifyHint(ctx context.Context, token string) (*oidc.IDTokenClaims, bool) {
	claims, err := op.VerifyIDTokenHint[*oidc.IDTokenClaims](ctx, token, s.hints)
	if err != nil && !errors.As(err, &op.IDTokenHintExpiredError{}) {
		return nil, false
	}
	return claims, true
}

// Origin implements idp.Protocol.
func (f *Face) Origin(payload json.RawMessage) string {
	var q request
	if err := json.Unmarshal(payload, &q); err != nil {
		return ""
	}
	return origin(q.RedirectURI)
}

// origin returns the origin of an address for a Content-Security-Policy. For the private scheme of a native
// application it is the scheme.
func origin(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}

// Grant implements idp.Protocol. It creates the code.
func (f *Face) Grant(ctx context.Context, tx *store.Tx, l idp.Login) (idp.Reply, error) {
	q, err := recall(l.Application, l.Payload)
	if err != nil {
		return nil, err
	}
	if q.Subject != "" && q.Subject != l.User.ID {
		return f.refusal(l.Tenant, q, fault{"login_required", "Somebody else logged in."}), nil
	}
	joined, err := tx.Sessions().Join(ctx, l.Tenant.ID, identity.SessionApplication{Session: l.Session.ID, Application: l.Application.ID,
		Protocol: identity.OIDC, Index: identity.NewID("sid"), Subject: l.User.ID})
	if err != nil {
		return nil, err
	}
	now := tx.Now()
	g := store.Grant{Tenant: l.Tenant.ID, ID: identity.NewID(identity.GrantID), Application: l.Application.ID, User: l.User.ID,
		Session: l.Session.ID, Subject: l.User.ID, SID: joined.Index, Scope: q.Scope, Nonce: q.Nonce, ACR: l.ACR, AMR: l.AMR,
		AuthTime: l.AuthTime, RedirectURI: q.RedirectURI, Challenge: q.Challenge,
		CodeExpires: now.Add(codeLifetime), ExpiresAt: now.Add(codeLifetime + accessLifetime)}
	if g.Offline = slices.Contains(strings.Fields(q.Scope), scopeOffline); g.Offline {
		g.ExpiresAt = now.Add(offlineLifetime)
	}
	code := identity.NewSecret()
	if err := tx.Grants().Add(ctx, g, code); err != nil {
		return nil, err
	}
	return f.redirect(l.Tenant, q, url.Values{"code": {code}}), nil
}

// Refuse implements idp.Protocol.
func (f *Face) Refuse(_ context.Context, t identity.Tenant, app identity.Application, payload json.RawMessage, why idp.Refusal) (idp.Reply, error) {
	q, err := recall(app, payload)
	if err != nil {
		return nil, err
	}
	switch why {
	case idp.LoginRequired:
		return f.refusal(t, q, fault{"login_required", ""}), nil
	case idp.ContextUnmet:
		return f.refusal(t, q, fault{"unmet_authentication_requirements", "None of acr_values can be reached."}), nil
	}
	return f.refusal(t, q, fault{"access_denied", ""}), nil
}

// recall reads the stored request. If the address no longer belongs to the application, it returns an
// error: an operator may have removed the address during the login, because somebody else controls it now.
func recall(app identity.Application, payload json.RawMessage) (request, error) {
	var q request
	if err := json.Unmarshal(payload, &q); err != nil {
		return q, fmt.Errorf("oidc: request: %w", err)
	}
	c, err := readClient(app)
	if err != nil {
		return q, err
	}
	if !app.DisabledAt.IsZero() || !c.config.Allows(c.config.RedirectURIs, q.RedirectURI) {
		return q, &identity.Error{Kind: identity.Invalid, Key: "error.application.unknown",
			Err: fmt.Errorf("oidc: %s is disabled, or %q is no longer its address", app.ID, q.RedirectURI)}
	}
	return q, nil
}

// refusal sends a fault to the application.
func (f *Face) refusal(t identity.Tenant, q request, why fault) idp.Reply {
	answer := url.Values{"error": {why.code}}
	if why.description != "" {
		answer.Set("error_description", why.description)
	}
	return f.redirect(t, q, answer)
}

// redirect sends an answer to the application, with its state and the issuer (RFC 9207). Status 303 makes
// the browser use GET, so that it does not repeat a POST.
func (f *Face) redirect(t identity.Tenant, q request, answer url.Values) idp.Reply {
	answer.Set("iss", f.issuer(t))
	if q.State != nil {
		answer.Set("state", string(q.State))
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, withQuery(q.RedirectURI, answer), http.StatusSeeOther)
		return nil
	}
}

// withQuery adds parameters to an address and leaves its other parameters unchanged.
func withQuery(uri string, add url.Values) string {
	join := "?"
	if strings.Contains(uri, "?") {
		join = "&"
	}
	return uri + join + add.Encode()
}

package oidc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/store"
)

// do sends any request to an endpoint of the tenant.
func (h *fixture) do(method, path, body string, headers ...string) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.issuer+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return h.read(http.DefaultClient.Do(r))
}

func TestOIDC1_DiscoveryIsTrue(t *testing.T) {
	h := one(t)
	a := h.do("GET", "/.well-known/openid-configuration", "")
	var d map[string]any
	if err := json.Unmarshal([]byte(a.body), &d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"issuer":                 h.issuer,
		"authorization_endpoint": h.issuer + "/oauth/authorize",
		"token_endpoint":         h.issuer + "/oauth/token",
		"userinfo_endpoint":      h.issuer + "/oauth/userinfo",
		"revocation_endpoint":    h.issuer + "/oauth/revoke",
		"introspection_endpoint": h.issuer + "/oauth/introspect",
		"introspection_endpoint_auth_methods_supported":  []any{"client_secret_basic", "client_secret_post"},
		"end_session_endpoint":                           h.issuer + "/oauth/logout",
		"jwks_uri":                                       h.issuer + "/oauth/keys",
		"response_types_supported":                       []any{"code"},
		"response_modes_supported":                       []any{"query"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token"},
		"subject_types_supported":                        []any{"public"},
		"id_token_signing_alg_values_supported":          []any{"RS256", "ES256", "EdDSA"},
		"token_endpoint_auth_methods_supported":          []any{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":               []any{"S256"},
		"request_uri_parameter_supported":                false,
		"authorization_response_iss_parameter_supported": true,
	} {
		got, _ := json.Marshal(d[name])
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) {
			t.Errorf("%s: got %s, want %s", name, got, wanted)
		}
	}
	// What is not built is not promised.
	for _, name := range []string{"device_authorization_endpoint", "registration_endpoint", "check_session_iframe",
		"backchannel_logout_supported", "request_parameter_supported", "claims_parameter_supported",
		"token_endpoint_auth_signing_alg_values_supported"} {
		if value, ok := d[name]; ok {
			t.Errorf("%s is promised: %v", name, value)
		}
	}
	var keys struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(h.do("GET", "/oauth/keys", "").body), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys.Keys {
		if key["use"] != "sig" || key["kid"] == "" || key["alg"] == "" || key["d"] != "" {
			t.Errorf("key %v", key)
		}
	}
	if len(keys.Keys) != 2 {
		t.Errorf("%d keys, want 2", len(keys.Keys))
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/oauth/keys"} {
		if got := h.do("GET", path, "").Header.Get("Cache-Control"); got != "public, max-age=300" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
}

// Trap 8: what the standards say of answers, methods and statuses.
func TestTOIDC15_WhoCallsAndHow(t *testing.T) {
	h := one(t)
	p, public := h.add("Payroll", oidcclient.Options{}), h.add("App", oidcclient.Options{Public: true})
	id, secret := p.app.Identifier, p.secret
	grant := "grant_type=authorization_code&redirect_uri=" + url.QueryEscape(callback) + "&code_verifier=" + verifier + "&code="
	code := func(p *party) string { return grant + p.code(h.browser()) }
	const assertion = "&client_assertion=e30.e30.x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	basic := func(id, secret string) []string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(id, secret)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	for _, tt := range []struct {
		name    string
		method  string
		path    string
		body    string
		headers []string
		want    int
	}{
		{"basic", "POST", tokenPath, code(p), basic(id, secret), 200},
		{"post", "POST", tokenPath, code(p) + "&client_id=" + id + "&client_secret=" + secret, nil, 200},
		{"none", "POST", tokenPath, code(public) + "&client_id=" + public.app.Identifier, nil, 200},
		{"none, empty basic", "POST", tokenPath, code(public), basic(public.app.Identifier, ""), 200},
		{"wrong secret", "POST", tokenPath, code(p), basic(id, secret+"x"), 401},
		{"no secret", "POST", tokenPath, code(p) + "&client_id=" + id, nil, 401},
		{"the stored hash", "POST", tokenPath, code(p), basic(id, store.Hash(secret)), 401},
		{"unknown client", "POST", tokenPath, code(p), basic("app_unknown", secret), 401},
		{"a secret from who has none", "POST", tokenPath, code(public), basic(public.app.Identifier, "x"), 401},
		{"assertion", "POST", tokenPath, code(p) + assertion + "&client_id=" + id, nil, 401},
		{"assertion from who has no key", "POST", tokenPath, code(public) + assertion + "&client_id=" + public.app.Identifier, nil, 401},
		{"both ways", "POST", tokenPath, code(p) + "&client_id=" + id + "&client_secret=" + secret, basic(id, secret), 400},
		{"nobody", "POST", tokenPath, code(p), nil, 400},
		{"secret in the address", "POST", tokenPath + "?client_id=" + id + "&client_secret=" + secret, code(p), nil, 400},
		{"code in the address", "POST", tokenPath + "?" + code(p), "", basic(id, secret), 400},
		{"GET", "GET", tokenPath + "?" + code(p), "", basic(id, secret), 405},
		{"PUT", "PUT", tokenPath, code(p), basic(id, secret), 405},
		{"grant_type twice", "POST", tokenPath, code(p) + "&grant_type=authorization_code", basic(id, secret), 400},
		{"JSON", "POST", tokenPath, `{"grant_type":"authorization_code"}`, append(basic(id, secret), "Content-Type", "application/json"), 400},
		{"broken form", "POST", tokenPath, "%zz", basic(id, secret), 400},
		{"too much", "POST", tokenPath, "x=" + strings.Repeat("x", 65<<10), basic(id, secret), 413},
		{"password grant", "POST", tokenPath, "grant_type=password&username=a&password=b", basic(id, secret), 400},
		{"client credentials", "POST", tokenPath, "grant_type=client_credentials", basic(id, secret), 400},
		{"JWT grant", "POST", tokenPath, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=e30.e30.x", basic(id, secret), 400},
		{"token exchange", "POST", tokenPath, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=x&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token", basic(id, secret), 400},
		{"device grant", "POST", tokenPath, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x", basic(id, secret), 400},
		{"refresh, not allowed", "POST", tokenPath, "grant_type=refresh_token&refresh_token=x", basic(id, secret), 400},
		{"revoke, wrong secret", "POST", revokePath, "token=x", basic(id, "x"), 401},
		{"revoke by GET", "GET", revokePath + "?token=x", "", basic(id, secret), 405},
		{"userinfo without token", "GET", userinfoPath, "", nil, 401},
		{"userinfo, basic", "GET", userinfoPath, "", basic(id, secret), 401},
		{"userinfo, token in the address", "GET", userinfoPath + "?access_token=" + p.exchange(p.code(h.browser())).Access, "", nil, 401},
		{"userinfo by POST", "POST", userinfoPath, "access_token=" + p.exchange(p.code(h.browser())).Access, nil, 200},
		{"introspection", "POST", introspectPath, "token=x", basic(id, secret), 200},
		{"introspection by GET", "GET", introspectPath + "?token=x", "", basic(id, secret), 405},
		{"introspection, wrong secret", "POST", introspectPath, "token=x", basic(id, "x"), 401},
		{"introspection, no secret", "POST", introspectPath, "token=x", basic(id, ""), 401},
		{"introspection by nobody", "POST", introspectPath, "token=x", nil, 401},
		{"introspection, public", "POST", introspectPath, "token=x&client_id=" + public.app.Identifier, nil, 401},
		{"introspection, public with a secret", "POST", introspectPath, "token=x&client_id=" + public.app.Identifier + "&client_secret=x", nil, 401},
		{"introspection, assertion", "POST", introspectPath, "token=x" + assertion + "&client_id=" + id, nil, 401},
		{"introspection, both ways", "POST", introspectPath, "token=x&client_id=" + id + "&client_secret=" + secret, basic(id, secret), 400},
		{"introspection of nothing", "POST", introspectPath, "", basic(id, secret), 400},
		{"introspection, token in the address", "POST", introspectPath + "?token=x", "", basic(id, secret), 400},
		{"introspection of two", "POST", introspectPath, "token=x&token=y", basic(id, secret), 400},
		{"introspection, secret in the address", "POST", introspectPath + "?client_id=" + id + "&client_secret=" + secret, "token=x", nil, 401},
		{"health", "GET", "/healthz", "", nil, 404},
		{"no such tenant", "POST", "x" + tokenPath, code(p), basic(id, secret), 404},
	} {
		a := h.do(tt.method, tt.path, tt.body, tt.headers...)
		if a.StatusCode != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, a.StatusCode, a.body, tt.want)
		}
		if a.StatusCode == 404 || a.StatusCode == 405 {
			continue
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", tt.name, got)
		}
		scheme, _, _ := strings.Cut(a.Header.Get("WWW-Authenticate"), " ")
		want := map[bool]string{true: "Bearer", false: "Basic"}[tt.path[:len("/oauth/u")] == "/oauth/u"]
		if a.StatusCode != 401 {
			want = ""
		}
		if scheme != want {
			t.Errorf("%s: %d with WWW-Authenticate %q, want %q", tt.name, a.StatusCode, scheme, want)
		}
		if a.body != "" && !json.Valid([]byte(a.body)) {
			t.Errorf("%s: answered %q, want JSON", tt.name, a.body)
		}
	}
}

// The secret that each copy of an app has built in is checked, and proves nothing: the app must use PKCE, and may not
// introspect. Fails with Public in the place of Confidential.
func TestTOIDC06_ABuiltInSecretProvesNothing(t *testing.T) {
	h := one(t)
	const uri = "oc://ios.owncloud.com"
	p := h.add("Files", oidcclient.Options{Native: true, RedirectURIs: []string{uri}, Secret: "KFeFWWEZO9TkisIQzR3fo7hfiMXlOpaqP8CFuTbSHzV1TUuGECglPxpiVKJfOXIx"})
	p.secret = "KFeFWWEZO9TkisIQzR3fo7hfiMXlOpaqP8CFuTbSHzV1TUuGECglPxpiVKJfOXIx"
	b := h.browser()
	if to := p.authorize(b, "redirect_uri", uri, "code_challenge", "", "code_challenge_method", "").to(t); to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("without PKCE: redirects to %v", to)
	}
	to := p.authorize(b, "redirect_uri", uri).to(t)
	if to == nil || to.Scheme != "oc" || to.Host != "ios.owncloud.com" || to.Query().Get("code") == "" {
		t.Fatalf("redirects to %v, want %s with a code", to, uri)
	}
	p.secret += "x"
	if got := p.call(tokenPath, url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {uri}}); got.StatusCode != 401 {
		t.Errorf("another secret: %d", got.StatusCode)
	}
	p.secret = strings.TrimSuffix(p.secret, "x")
	got := p.exchange(to.Query().Get("code"), "redirect_uri", uri)
	if got.Access == "" {
		t.Fatalf("%+v", got)
	}
	if a := p.call(introspectPath, url.Values{"token": {got.Access}}); a.StatusCode != 401 {
		t.Errorf("introspection: %d %s, want 401", a.StatusCode, a.body)
	}
}

// A parameter without a value is as if it had not been sent (RFC 6749, section 3.1), at every endpoint. Fails with
// omitEmpty taken out.
func TestEmptyParametersAreOmitted(t *testing.T) {
	h := one(t)
	const bye = "https://rp.example/bye"
	p, b := h.add("Payroll", oidcclient.Options{Offline: true, PostLogoutURIs: []string{bye}}), h.browser()
	q := p.request("scope", "openid offline_access").Encode() + "&request=&request_uri=&registration=&response_mode=&prompt=&max_age=&claims=&acr_values=" +
		"&id_token_hint=&login_hint=&ui_locales=&display=&nonce=&client_id=&resource="
	to := b.get(h.issuer + authorizePath + "?" + q).to(t)
	if to == nil || to.Query().Get("code") == "" {
		t.Fatalf("authorize: redirects to %v, want a code", to)
	}
	if to := p.authorize(b, "state", "").to(t); to == nil || to.Query().Has("state") {
		t.Errorf("no state comes back in %v", to)
	}
	empty := url.Values{"client_secret": {""}, "client_assertion": {""}, "client_assertion_type": {""}, "scope": {""}, "resource": {""}, "code": {"", to.Query().Get("code")},
		"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	got := p.tokens(p.call(tokenPath, empty))
	if got.Refresh == "" {
		t.Fatalf("token: %+v", got)
	}
	again := p.tokens(p.call(tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}, "scope": {""}, "client_secret": {""}}))
	if again.Scope != "openid offline_access" {
		t.Errorf("refresh with an empty scope: %+v", again)
	}
	if a := p.call(introspectPath, url.Values{"token": {again.Access}, "token_type_hint": {""}, "client_assertion": {""}}); !strings.Contains(a.body, `"active":true`) {
		t.Errorf("introspection: %d %s", a.StatusCode, a.body)
	}
	if a := p.call(revokePath, url.Values{"token": {again.Refresh}, "token_type_hint": {""}}); a.StatusCode != 200 || h.good(again.Access) {
		t.Errorf("revocation: %d %s", a.StatusCode, a.body)
	}
	a := b.get(h.issuer + logoutPath + "?id_token_hint=" + again.ID + "&post_logout_redirect_uri=&post_logout_redirect_uri=" + url.QueryEscape(bye) + "&state=&ui_locales=&logout_hint=")
	if a.Header.Get("Location") != bye {
		t.Errorf("logout: %d to %q, want %s", a.StatusCode, a.Header.Get("Location"), bye)
	}
}

// Where a token is to be used may be said several times (RFC 8707, section 2), anything else once.
func TestParametersThatMayBeRepeated(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
	const resources = "&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example&audience=a&audience=b"
	to := b.get(h.issuer + authorizePath + "?" + p.request().Encode() + resources).to(t)
	if to == nil || to.Query().Get("code") == "" {
		t.Fatalf("authorize: redirects to %v, want a code", to)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
		"resource": {"https://a.example", "https://b.example"}, "audience": {"a", "b"}}
	if got := p.tokens(p.call(tokenPath, form)); got.Access == "" {
		t.Errorf("token: %+v", got)
	}
	to = b.get(h.issuer + authorizePath + "?" + p.request().Encode() + "&scope=openid").to(t)
	if to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("scope twice: redirects to %v, want invalid_request", to)
	}
}

// An error of ours keeps its cause to itself.
func TestFailuresSayNothingOfUs(t *testing.T) {
	h := one(t)
	p := h.add("Payroll", oidcclient.Options{})
	code, b := p.code(h.browser()), h.browser()
	access := p.exchange(p.code(b)).Access
	h.idp.DB.Close()
	for name, a := range map[string]answer{
		"token":    p.call(tokenPath, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}),
		"revoke":   p.call(revokePath, url.Values{"token": {access}}),
		"userinfo": h.userinfo(access),
	} {
		if a.StatusCode != 500 && a.StatusCode != 503 || strings.TrimSpace(a.body) != `{"error":"server_error"}` {
			t.Errorf("%s: %d %s, want a bare server_error", name, a.StatusCode, a.body)
		}
	}
}

// Trap 7: who may read answers in a browser.
func TestTOIDC16_OriginsThatAreRegistered(t *testing.T) {
	h := one(t)
	const origin, others, evil = "https://spa.example", "https://other.example", "https://evil.example"
	p := h.add("App", oidcclient.Options{Public: true, Origins: []string{origin}})
	h.add("Other", oidcclient.Options{Public: true, Origins: []string{others}})
	access := func() string { return p.exchange(p.code(h.browser())).Access }
	for _, tt := range []struct {
		method, path string
		want         []string // origins that may read the answer
	}{
		{"OPTIONS", tokenPath, []string{origin, others}},
		{"OPTIONS", userinfoPath, []string{origin, others}},
		{"OPTIONS", revokePath, []string{origin, others}},
		{"GET", "/.well-known/openid-configuration", []string{origin, others}},
		{"GET", keysPath, []string{origin, others}},
		{"GET", userinfoPath, []string{origin, others}},
		{"GET", authorizePath, nil},
		{"OPTIONS", authorizePath, nil},
		{"GET", logoutPath, nil},
		{"OPTIONS", logoutPath, nil},
	} {
		for _, o := range []string{origin, others, evil, "null", "https://spa.example.evil.example", "HTTPS://spa.example"} {
			a := h.do(tt.method, tt.path, "", "Origin", o, "Access-Control-Request-Method", "POST")
			got, want := a.Header.Get("Access-Control-Allow-Origin"), ""
			if slices.Contains(tt.want, o) {
				want = o
			}
			if got != want {
				t.Errorf("%s %s for %s: allows %q, want %q", tt.method, tt.path, o, got, want)
			}
			if got := a.Header.Get("Access-Control-Allow-Credentials"); got != "" {
				t.Errorf("%s %s: allows credentials", tt.method, tt.path)
			}
			if tt.want != nil && !slices.Contains(a.Header.Values("Vary"), "Origin") {
				t.Errorf("%s %s: caches mix up origins", tt.method, tt.path)
			}
		}
	}
	// The page must be the application's own, not just anybody's who is known.
	form := func() url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {p.code(h.browser())}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	}
	for o, want := range map[string]int{origin: 200, others: 401, evil: 401} {
		if a := p.call(tokenPath, form(), "Origin", o); a.StatusCode != want {
			t.Errorf("token for %s: %d, want %d", o, a.StatusCode, want)
		}
		if a := h.userinfo(access(), "Origin", o); a.StatusCode != want {
			t.Errorf("userinfo for %s: %d, want %d", o, a.StatusCode, want)
		}
	}
}

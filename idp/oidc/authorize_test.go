package oidc

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/oidcclient/oidcclienttest"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Trap 9, and why: a fault before the redirect address is known to be the
// application's is a page, and never a redirect.
func TestTOIDC01_FaultsBeforeTheAddressIsKnownStayHere(t *testing.T) {
	h := one(t)
	p := h.add("Payroll", oidcclient.Options{})
	b := h.browser()
	for _, pairs := range [][]string{
		{"client_id", ""}, {"client_id", "app_unknown"}, {"client_id", strings.Repeat("x", 5000)},
		{"redirect_uri", ""}, {"redirect_uri", "https://evil.example/"}, {"redirect_uri", callback + "/"},
		{"redirect_uri", "https://evil.example/", "response_type", "token"},
		{"redirect_uri", "https://evil.example/", "request_uri", "https://evil.example/"},
		{"redirect_uri", "https://evil.example/", "prompt", "none"},
	} {
		a := p.authorize(b, pairs...)
		if a.Header.Get("Location") != "" || a.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d to %q, want a page with 400", pairs, a.StatusCode, a.Header.Get("Location"))
		}
		if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") || !strings.Contains(a.body, "<h1>") {
			t.Errorf("%q: answered %s, want a page", pairs, got)
		}
	}
	for _, uri := range oidcclienttest.SimilarAddresses("https", "rp.example", "/cb") {
		if a := p.authorize(b, "redirect_uri", uri); a.Header.Get("Location") != "" {
			t.Errorf("%q redirects to %s", uri, a.Header.Get("Location"))
		}
	}
	// Which of two addresses counts is nobody's to guess.
	for _, name := range []string{"client_id", "redirect_uri"} {
		q := p.request()
		q.Add(name, q.Get(name))
		if a := b.get(p.issuer + authorizePath + "?" + q.Encode()); a.Header.Get("Location") != "" {
			t.Errorf("%s twice redirects to %s", name, a.Header.Get("Location"))
		}
	}
	if a := b.get(h.base + "/t/nobody" + authorizePath + "?" + p.request().Encode()); a.StatusCode != http.StatusNotFound {
		t.Errorf("no such tenant: %d, want 404", a.StatusCode)
	}
}

// Every other fault is told to the application, with its state and our issuer.
func TestTOIDC06_TOIDC13_TOIDC14_TOIDC17_FaultsForTheApplication(t *testing.T) {
	h := one(t)
	secret, public := h.add("Payroll", oidcclient.Options{}), h.add("App", oidcclient.Options{Public: true})
	b := h.browser()
	for _, tt := range []struct {
		p     *party
		pairs []string
		want  string
	}{
		// T-OIDC-17: no implicit, no hybrid.
		{secret, []string{"response_type", ""}, "invalid_request"},
		{secret, []string{"response_type", "token"}, "unsupported_response_type"},
		{secret, []string{"response_type", "id_token"}, "unsupported_response_type"},
		{secret, []string{"response_type", "id_token token"}, "unsupported_response_type"},
		{secret, []string{"response_type", "code id_token"}, "unsupported_response_type"},
		{secret, []string{"response_type", "none"}, "unsupported_response_type"},
		{secret, []string{"response_mode", "fragment"}, "invalid_request"},
		{secret, []string{"response_mode", "form_post"}, "invalid_request"},
		// T-OIDC-14: nothing is fetched, nothing unsigned by us is believed.
		{secret, []string{"request", "e30.e30."}, "request_not_supported"},
		{secret, []string{"request_uri", "http://169.254.169.254/"}, "request_uri_not_supported"},
		{secret, []string{"registration", "{}"}, "registration_not_supported"},
		// T-OIDC-06: PKCE.
		{public, []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{public, []string{"code_challenge_method", "plain"}, "invalid_request"},
		{public, []string{"code_challenge_method", ""}, "invalid_request"},
		{secret, []string{"code_challenge_method", "plain"}, "invalid_request"},
		{secret, []string{"code_challenge_method", ""}, "invalid_request"},
		{secret, []string{"code_challenge_method", "s256"}, "invalid_request"},
		{secret, []string{"code_challenge", ""}, "invalid_request"},
		{secret, []string{"code_challenge", "short"}, "invalid_request"},
		{secret, []string{"code_challenge", strings.Repeat("=", 43)}, "invalid_request"},
		// T-OIDC-13: how much login.
		{secret, []string{"prompt", "none login"}, "invalid_request"},
		{secret, []string{"prompt", "dance"}, "invalid_request"},
		{secret, []string{"max_age", "-1"}, "invalid_request"},
		{secret, []string{"claims", "{"}, "invalid_request"},
		{secret, []string{"claims", `{"id_token": {"acr": "mfa"}}`}, "invalid_request"},
		{secret, []string{"claims", `{"userinfo": "` + strings.Repeat("x", 4096) + `"}`}, "invalid_request"},
		{secret, []string{"max_age", "+1"}, "invalid_request"},
		{secret, []string{"max_age", "x"}, "invalid_request"},
		{secret, []string{"max_age", "1.5"}, "invalid_request"},
		{secret, []string{"max_age", "1e3"}, "invalid_request"},
		{secret, []string{"max_age", "99999999999999999999x"}, "invalid_request"},
		{secret, []string{"id_token_hint", "x"}, "invalid_request"},
		{secret, []string{"scope", ""}, "invalid_scope"},
		{secret, []string{"scope", "profile email"}, "invalid_scope"},
		{secret, []string{"nonce", strings.Repeat("n", 4097)}, "invalid_request"},
		{secret, []string{"nonce", "a\x00b"}, "invalid_request"},
		{secret, []string{"nonce", "\xff"}, "invalid_request"},
	} {
		to := tt.p.authorize(b, tt.pairs...).to(t)
		if to == nil || !strings.HasPrefix(to.String(), callback+"?") {
			t.Errorf("%q: redirects to %v, want %s", tt.pairs, to, callback)
			continue
		}
		q := to.Query()
		if q.Get("error") != tt.want || q.Get("state") != "st" || q.Get("iss") != h.issuer || q.Has("code") {
			t.Errorf("%q: got %v, want %s with state and iss", tt.pairs, q, tt.want)
		}
	}
	q := secret.request()
	q.Add("nonce", "n-2")
	if to := b.get(h.issuer + authorizePath + "?" + q.Encode()).to(t); to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("nonce twice: redirects to %v", to)
	}
}

// Why a request was refused stands with the application, for the operator who is asked why nobody can log in there.
func TestWhyRequestsWereRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
		p.authorize(b, "redirect_uri", "https://rp.example/cb/")
		p.authorize(b, "scope", "profile")
		p.authorize(b, "response_type", "token")
		secret := p.secret
		p.secret = "wrong"
		p.exchange("x")
		p.secret = secret
		p.code(b)
		got := make(map[string]string)
		for r, err := range h.idp.DB.Applications().Refused(t.Context(), h.tenant.ID, p.app.ID) {
			if err != nil {
				t.Fatal(err)
			}
			got[r.Reason] = r.Detail
			if r.Count != 1 || strings.Contains(r.Detail, "wrong") && r.Reason != "invalid_client" {
				t.Errorf("%+v", r)
			}
		}
		want := map[string]string{"redirect_uri": `redirect_uri "https://rp.example/cb/" is not registered`, "invalid_scope": "scope must contain openid",
			"unsupported_response_type": "Only code is supported.", "invalid_client": "another client secret"}
		if !maps.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTOIDC11_StateAndNonceComeBackByteForByte(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
		for _, state := range []string{"a b+c%20&d=e#f", "\xff\xfe\x00\n", `"><script>alert(1)</script>`, "ü\u202e", strings.Repeat("s", 4096)} {
			to := p.authorize(b, "state", state).to(t)
			if to == nil || to.Query().Get("state") != state || to.Query().Get("iss") != h.issuer {
				t.Errorf("state %q comes back in %v", state, to)
			}
		}
		if to := p.authorize(b, "state", "").to(t); to == nil || to.Query().Has("state") {
			t.Errorf("no state comes back in %v", to)
		}
		if q := p.authorize(b, "state", strings.Repeat("s", 4097)).to(t).Query(); q.Get("error") != "invalid_request" || q.Has("state") {
			t.Errorf("too long a state: %v", q)
		}
		for _, nonce := range []string{"a b+c%20&\"\\</script>", "ü\u2028", strings.Repeat("n", 4096)} {
			_, claims := h.claims(p.exchange(p.code(b, "nonce", nonce)).ID)
			if claims["nonce"] != nonce {
				t.Errorf("nonce %q comes back as %q", nonce, claims["nonce"])
			}
		}
	})
}

// What an application says about the login it wants reaches the journey.
func TestTOIDC13_WhatIsAskedReachesTheJourney(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
	first := p.exchange(p.code(b, "prompt", "", "max_age", ""))
	age := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		name  string
		pairs []string
		want  journey.Request
	}{
		{"nothing", nil, journey.Request{}},
		{"none", []string{"prompt", "none"}, journey.Request{Passive: true}},
		{"login", []string{"prompt", "login consent"}, journey.Request{ForceLogin: true}},
		{"another account", []string{"prompt", "select_account"}, journey.Request{ForceLogin: true}},
		{"consent", []string{"prompt", "consent"}, journey.Request{}},
		{"age", []string{"max_age", "300"}, journey.Request{MaxAge: age(300)}},
		{"the greatest age", []string{"max_age", "9223372036854775807"}, journey.Request{MaxAge: age(longestMaxAge)}},
		{"an age beyond it", []string{"max_age", "99999999999999999999"}, journey.Request{MaxAge: age(longestMaxAge)}},
		{"an age beyond what a duration holds", []string{"max_age", "9300000000"}, journey.Request{MaxAge: age(longestMaxAge)}},
		{"age 0", []string{"max_age", "0"}, journey.Request{MaxAge: age(0)}},
		{"acr", []string{"acr_values", "urn:x  https://refeds.org/profile/mfa"}, journey.Request{ACR: []string{"urn:x", "https://refeds.org/profile/mfa"}}},
		{"essential acr", []string{"acr_values", "urn:x", "claims", `{"id_token": {"acr": {"essential": true, "values": ["https://refeds.org/profile/mfa", "urn:y"]}}}`},
			journey.Request{ACR: []string{"https://refeds.org/profile/mfa", "urn:y"}}},
		{"one acr", []string{"claims", `{"id_token": {"acr": {"value": "urn:y"}, "email": null}, "userinfo": {"name": null}}`}, journey.Request{ACR: []string{"urn:y"}}},
		{"any acr", []string{"acr_values", "urn:x", "claims", `{"id_token": {"acr": null, "auth_time": {"essential": true}}}`}, journey.Request{ACR: []string{"urn:x"}}},
		{"hints", []string{"login_hint", "anna\u202e", "ui_locales", "de en"}, journey.Request{LoginHint: "anna", UILocales: "de en"}},
		{"who", []string{"id_token_hint", first.ID}, journey.Request{LoginHint: "anna.berg"}},
	} {
		p.code(b, tt.pairs...)
		got := h.want
		if got.ForceLogin != tt.want.ForceLogin || got.Passive != tt.want.Passive || got.LoginHint != tt.want.LoginHint ||
			got.UILocales != tt.want.UILocales || !slices.Equal(got.ACR, tt.want.ACR) ||
			(got.MaxAge == nil) != (tt.want.MaxAge == nil) || got.MaxAge != nil && *got.MaxAge != *tt.want.MaxAge {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	// A POST brings no cookies and asks the same.
	a := h.read(b.PostForm(h.issuer+authorizePath, p.request("prompt", "login")))
	if to := a.to(t); to == nil || !to.Query().Has("code") || !h.want.ForceLogin {
		t.Errorf("POST: redirects to %v", to)
	}
}

func TestTOIDC13_RefusalsAreTheProtocolsErrors(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
	for why, want := range map[idp.Refusal]string{idp.LoginRequired: "login_required", idp.ContextUnmet: "unmet_authentication_requirements",
		idp.Cancelled: "access_denied", idp.AccessDenied: "access_denied", idp.Failed: "access_denied"} {
		h.refuse = why
		to := p.authorize(b).to(t)
		if to == nil || to.Query().Get("error") != want || to.Query().Get("state") != "st" || to.Query().Get("iss") != h.issuer {
			t.Errorf("%s: redirects to %v, want %s", why, to, want)
		}
	}
}

// The application says who it must be; somebody else's login is no answer.
func TestTOIDC13_AHintIsOfThisPersonAndThisApplication(t *testing.T) {
	h := one(t)
	p, other := h.add("Payroll", oidcclient.Options{}), h.add("Other", oidcclient.Options{})
	annas := p.exchange(p.code(h.browser())).ID
	h.user = h.addUser("bert")
	berts := h.browser()
	p.code(berts)
	to := p.authorize(berts, "id_token_hint", annas).to(t)
	if to == nil || to.Query().Get("error") != "login_required" || to.Query().Has("code") {
		t.Errorf("Bert for Anna: redirects to %v, want login_required", to)
	}
	if !h.want.ForceLogin {
		t.Error("Bert's session was enough for Anna's hint")
	}
	if to := other.authorize(berts, "id_token_hint", annas).to(t); to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("another application's hint: redirects to %v, want invalid_request", to)
	}
}

// Traps 2 and 3: there is no callback that anybody could call with a request's
// id, and what a journey was begun with works once.
func TestTOIDC04_NoCallbackToSteal(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
	p.code(b)
	for _, path := range []string{"/oauth/authorize/callback?id=x", "/callback?id=x", "/authorize/callback?id=x"} {
		if a := b.get(h.issuer + path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, a.StatusCode)
		}
	}
}

// The page a form is on must allow where its answer redirects to.
func TestOrigin(t *testing.T) {
	f := &Face{}
	for uri, want := range map[string]string{
		"https://rp.example/cb?a=b":       "https://rp.example",
		"http://localhost:3000/cb":        "http://localhost:3000",
		"com.example.app:/oauth2redirect": "com.example.app:",
	} {
		if got := f.Origin([]byte(`{"redirect_uri":"` + uri + `"}`)); got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
	if got := f.Origin([]byte(`garbage`)); got != "" {
		t.Errorf("garbage: got %q", got)
	}
}

// Offline access is the operator's to give.
func TestOIDC1_RefreshTokensOnlyWhereAllowed(t *testing.T) {
	h := one(t)
	b := h.browser()
	const scope = "openid offline_access groups groups unknown"
	without := h.add("Payroll", oidcclient.Options{})
	if got := without.exchange(without.code(b, "scope", scope)); got.Refresh != "" || got.Scope != "openid groups" {
		t.Errorf("not allowed: %+v", got)
	}
	with := h.add("Payroll", oidcclient.Options{Offline: true})
	if got := with.exchange(with.code(b, "scope", scope)); got.Refresh == "" || got.Scope != "openid offline_access groups" {
		t.Errorf("allowed: %+v", got)
	}
	if got := with.exchange(with.code(b)); got.Refresh != "" {
		t.Errorf("not asked for: %+v", got)
	}
}

// Whoever may choose the Host header of a request must not choose the issuer.
func TestTOIDC03_TheIssuerIsNeverTheHosts(t *testing.T) {
	h := one(t)
	h.add("Payroll", oidcclient.Options{})
	for _, path := range []string{"/.well-known/openid-configuration", authorizePath + "?client_id=x"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		r.Header.Set("Forwarded", "host=evil.example")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		if a := h.read(http.DefaultClient.Do(r)); strings.Contains(a.body, "evil.example") {
			t.Errorf("%s says evil.example", path)
		}
	}
}

// A code of one tenant is nothing in another.
func TestTenantsAreApart(t *testing.T) {
	h := one(t)
	p, b := h.add("Payroll", oidcclient.Options{Offline: true}), h.browser()
	code := p.code(b, "scope", "openid offline_access")
	mine := p.exchange(p.code(b, "scope", "openid offline_access"))
	other := h.addTenant("other")
	twin := p.app // the same client in the other tenant, secret and all
	twin.Tenant = other.ID
	h.tx(func(tx *store.Tx) error { return tx.Applications().Add(t.Context(), twin) })
	issuer := h.issuer
	h.issuer = h.base + "/t/other"
	if got := p.exchange(code); got.Error != "invalid_grant" {
		t.Errorf("code: %+v", got)
	}
	if got := p.refreshed(mine.Refresh); got.Error != "invalid_grant" {
		t.Errorf("refresh token: %+v", got)
	}
	if h.good(mine.Access) {
		t.Error("access token works in another tenant")
	}
	q := p.request("id_token_hint", mine.ID)
	if to := h.browser().get(h.issuer + authorizePath + "?" + q.Encode()).to(t); to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("hint: redirects to %v", to)
	}
	h.issuer = issuer
	if got := p.exchange(code); got.Access == "" {
		t.Errorf("the code was used up elsewhere: %+v", got)
	}
}

// Between request and answer an address may have been taken away, or the
// application removed: neither gets a code, nor an error.
func TestTOIDC01_WhatChangedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p, b := h.add("Payroll", oidcclient.Options{}), h.browser()
		begun := func() string {
			t.Helper()
			b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			a := p.authorize(b)
			if to := a.to(t); a.StatusCode == http.StatusSeeOther && strings.Contains(to.Path, "/begin/") {
				return h.base + to.Path
			}
			t.Fatalf("authorize: %d to %v", a.StatusCode, a.to(t))
			return ""
		}
		stays := func(when, address string) {
			t.Helper()
			if a := b.get(address); a.Header.Get("Location") != "" || a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d to %q, want a page", when, a.StatusCode, a.Header.Get("Location"))
			}
		}
		if a := b.get(begun()); a.to(t).Query().Get("code") == "" {
			t.Fatalf("nothing changed: %d %s", a.StatusCode, a.body)
		}
		granted, refused, removed := begun(), begun(), begun()
		o, err := oidcclient.OptionsOf(p.app)
		if err != nil {
			t.Fatal(err)
		}
		o.RedirectURIs = []string{"https://rp.example/other"}
		moved, _, err := oidcclient.WithOptions(p.app, o)
		if err != nil {
			t.Fatal(err)
		}
		h.tx(func(tx *store.Tx) error { return tx.Applications().Change(t.Context(), p.app, moved) })
		stays("address taken away", granted)
		disabled := p.app
		disabled.DisabledAt = h.idp.DB.Now()
		if _, err := recall(disabled, []byte(`{"redirect_uri":"`+callback+`"}`)); !errors.Is(err, identity.Invalid) {
			t.Errorf("application disabled: %v, want Invalid", err)
		}
		h.refuse = idp.Cancelled
		stays("address taken away, and cancelled", refused)
		h.refuse = ""
		h.tx(func(tx *store.Tx) error { return tx.Applications().Change(t.Context(), moved, p.app) })
		h.tx(func(tx *store.Tx) error { return tx.Applications().Remove(t.Context(), h.tenant.ID, p.app.ID) })
		if a := b.get(removed); a.Header.Get("Location") != "" || a.StatusCode < 400 {
			t.Errorf("application removed: %d to %q, want a page", a.StatusCode, a.Header.Get("Location"))
		}
	})
}

func FuzzMaxAge(f *testing.F) {
	f.Add("0")
	f.Add("99999999999999999999")
	f.Fuzz(func(t *testing.T, given string) {
		seconds, ok := readMaxAge(given)
		if ok && (seconds < 0 || seconds > longestMaxAge) || ok && given != "" && strings.Trim(given, "0123456789") != "" {
			t.Errorf("%q is %d", given, seconds)
		}
	})
}

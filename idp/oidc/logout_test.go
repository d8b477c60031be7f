package oidc

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
)

const bye = "https://rp.example/bye"

// in reports whether the browser is still logged in: whether another journey
// gives the same sid.
func (p *party) in(b *browser, sid any) bool {
	p.t.Helper()
	_, claims := p.claims(p.exchange(p.code(b)).ID)
	return claims["sid"] == sid
}

func TestTOIDC12_WhoLogsOutAndWhereTheyGo(t *testing.T) {
	h := one(t)
	p := h.add("Payroll", oidcclient.Options{PostLogoutURIs: []string{bye}, Home: "https://rp.example/"})
	other := h.add("Other", oidcclient.Options{PostLogoutURIs: []string{"https://other.example/bye"}})
	for _, tt := range []struct {
		name string
		q    func(idToken, anothers string) url.Values // anothers: of the same person in another browser
		out  bool                                      // without a question
		to   string
	}{
		{"all is well", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {bye}, "state": {"a b"}}
		}, true, bye + "?state=a+b"},
		{"client_id too", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "client_id": {p.app.Identifier}, "post_logout_redirect_uri": {bye}}
		}, true, bye},
		{"nowhere to go", func(id, _ string) url.Values { return url.Values{"id_token_hint": {id}} }, true, ""},
		{"no hint", func(string, string) url.Values { return url.Values{} }, false, ""},
		{"no hint, registered", func(string, string) url.Values {
			return url.Values{"client_id": {p.app.Identifier}, "post_logout_redirect_uri": {bye}}
		}, false, ""},
		{"unregistered", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://evil.example/"}}
		}, false, ""},
		{"nearly registered", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {bye + "/"}}
		}, false, ""},
		{"another application's address", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://other.example/bye"}}
		}, false, ""},
		{"another application's id", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "client_id": {other.app.Identifier}, "post_logout_redirect_uri": {"https://other.example/bye"}}
		}, false, ""},
		{"another application's id, an address of the hint's", func(id, _ string) url.Values {
			return url.Values{"id_token_hint": {id}, "client_id": {other.app.Identifier}, "post_logout_redirect_uri": {bye}}
		}, false, ""},
		{"another session's hint", func(_, anothers string) url.Values {
			return url.Values{"id_token_hint": {anothers}, "post_logout_redirect_uri": {bye}}
		}, false, ""},
		{"garbage", func(string, string) url.Values {
			return url.Values{"id_token_hint": {"e30.e30.x"}, "post_logout_redirect_uri": {bye}}
		}, false, ""},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				b := h.browser()
				id := p.exchange(p.code(b)).ID
				anothers := p.exchange(p.code(h.browser())).ID
				_, claims := h.claims(id)
				before := h.events(audit.SessionEnded)
				q := tt.q(id, anothers)
				a := b.get(h.issuer + logoutPath + "?" + q.Encode())
				if method == "POST" {
					b = h.browser() // again, in another browser
					id = p.exchange(p.code(b)).ID
					_, claims = h.claims(id)
					before = h.events(audit.SessionEnded)
					a = h.read(b.PostForm(h.issuer+logoutPath, tt.q(id, anothers)))
				}
				if got := a.Header.Get("Location"); got != tt.to {
					t.Errorf("redirects to %q, want %q", got, tt.to)
				}
				if tt.to == "" && a.StatusCode != http.StatusOK {
					t.Errorf("%d, want a page", a.StatusCode)
				}
				if got := h.events(audit.SessionEnded) - before; (got == 1) != tt.out {
					t.Errorf("%d sessions ended, want %v", got, tt.out)
				}
				if p.in(b, claims["sid"]) == tt.out {
					t.Errorf("still logged in is %v", !tt.out)
				}
			})
		}
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields reads the hidden fields of a page's form.
func (a answer) fields() url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// The question is answered by a button on our page, and by nothing else.
func TestTOIDC18_TheQuestionIsAnsweredHere(t *testing.T) {
	h := one(t)
	p := h.add("Payroll <b>", oidcclient.Options{PostLogoutURIs: []string{bye}, Home: "https://rp.example/"})
	ask := func(b *browser, q url.Values) (form url.Values, sid any) {
		_, claims := h.claims(p.exchange(p.code(b)).ID)
		a := b.get(h.issuer + logoutPath + "?" + q.Encode())
		if !strings.Contains(a.body, `action="`+h.issuer+confirmPath+`"`) || strings.Contains(a.body, "<b>") || !strings.Contains(a.body, "anna.berg") {
			t.Fatalf("asked by:\n%s", a.body)
		}
		csp := a.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || q.Has("post_logout_redirect_uri") != strings.Contains(csp, "form-action 'self' https://rp.example") {
			t.Errorf("Content-Security-Policy: %s", csp)
		}
		return a.fields(), claims["sid"]
	}
	known := url.Values{"client_id": {p.app.Identifier}, "post_logout_redirect_uri": {bye}, "state": {`"><x`}}
	answer := func(b *browser, form url.Values, headers ...string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.issuer+confirmPath, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return h.read(b.Do(r))
	}
	b := h.browser()
	form, sid := ask(b, known)
	form.Set("do", "logout")
	if a := answer(b, form, "Sec-Fetch-Site", "cross-site"); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site presses the button: %d, want 403", a.StatusCode)
	}
	if !p.in(b, sid) {
		t.Error("another site logged somebody out")
	}
	if a := b.get(h.issuer + confirmPath + "?do=logout"); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("by GET: %d, want 405", a.StatusCode)
	}
	if got := answer(b, form, "Sec-Fetch-Site", "same-origin").Header.Get("Location"); got != bye+"?state=%22%3E%3Cx" {
		t.Errorf("logged out: redirects to %q", got)
	}
	if p.in(b, sid) {
		t.Error("still logged in")
	}
	form, sid = ask(b, known)
	form.Set("do", "stay")
	if got := answer(b, form, "Sec-Fetch-Site", "same-origin").Header.Get("Location"); got != "https://rp.example/" {
		t.Errorf("stay: redirects to %q", got)
	}
	if !p.in(b, sid) {
		t.Error("who wanted to stay is logged out")
	}
	// An address slipped into the answer is no better registered.
	form.Set("do", "logout")
	form.Set("post_logout_redirect_uri", "https://evil.example/")
	if a := answer(b, form, "Sec-Fetch-Site", "same-origin"); a.Header.Get("Location") != "" || a.StatusCode != http.StatusOK {
		t.Errorf("redirects to %q", a.Header.Get("Location"))
	}
}

// Who is not logged in has nothing to be asked.
func TestTOIDC12_NothingToLogOutOf(t *testing.T) {
	h := one(t)
	p := h.add("Payroll", oidcclient.Options{PostLogoutURIs: []string{bye}})
	id := p.exchange(p.code(h.browser())).ID
	for to, q := range map[string]url.Values{
		bye + "?state=s": {"id_token_hint": {id}, "post_logout_redirect_uri": {bye}, "state": {"s"}},
		"":               {"id_token_hint": {id}, "post_logout_redirect_uri": {"https://evil.example/"}},
	} {
		if a := h.browser().get(h.issuer + logoutPath + "?" + q.Encode()); a.Header.Get("Location") != to {
			t.Errorf("redirects to %q, want %q", a.Header.Get("Location"), to)
		}
	}
	if a := h.browser().get(h.issuer + logoutPath + "?ui_locales=ar"); !strings.Contains(a.body, `dir="rtl"`) {
		t.Errorf("ui_locales is not heard:\n%s", a.body)
	}
	if a := h.browser().get(h.issuer + logoutPath + "?state=a&state=b"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("state twice: %d, want 400", a.StatusCode)
	}
}

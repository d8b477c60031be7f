package self_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
	"github.com/latchkey-id/latchkey/portal/self"
)

// A browser is a browser that is signed in to the self-service pages.
type browser struct {
	*storetest.Fixture
	t               *testing.T
	mux             *http.ServeMux
	app             identity.Application
	browser, secret string // the browser's hash, and its session's secret
	cookies         func(secret string) []*http.Cookie
}

// browserCookies returns the hash by which a new browser is known, and the cookies it
// sends while it holds a session's secret.
func browserCookies(t *testing.T, site *web.Site, tenant identity.Tenant) (hash string, cookies func(secret string) []*http.Cookie) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	hash, err := site.EnsureBrowser(w, r, tenant)
	if err != nil {
		t.Fatal(err)
	}
	return hash, func(secret string) []*http.Cookie {
		session := httptest.NewRecorder()
		if err := site.SetSession(session, r, tenant, secret); err != nil {
			t.Error(err)
		}
		return append(w.Result().Cookies(), session.Result().Cookies()...)
	}
}

func newBrowser(t *testing.T, h *storetest.Fixture) *browser {
	t.Helper()
	v := &browser{Fixture: h, t: t, mux: http.NewServeMux(), app: identity.Application{Tenant: h.Tenant.ID,
		ID: identity.NewID(identity.ApplicationID), Name: "Self-service", Protocol: identity.Portal, Identifier: "me", Config: []byte(`{}`)}}
	site := webtest.Site(t, h.DB, "http://localhost")
	v.browser, v.cookies = browserCookies(t, site, h.Tenant)
	(&self.Portal{Site: site, DB: h.DB}).Routes(v.mux)
	h.Do(t, func(tx *store.Tx) error { return tx.Applications().Add(t.Context(), v.app) })
	return v
}

// signIn begins a session with these completed factors, and returns its id.
func (v *browser) signIn(passed ...identity.CompletedFactor) (session string) {
	v.t.Helper()
	now := v.Clock.Now()
	s := identity.Session{Tenant: v.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: v.User.ID, Browser: v.browser,
		AuthTime: now, Idle: time.Hour, ExpiresAt: now.Add(time.Hour), Passed: passed}
	v.secret = identity.NewSecret()
	v.Do(v.t, func(tx *store.Tx) error {
		if err := tx.Sessions().Save(v.t.Context(), s, v.secret); err != nil {
			return err
		}
		_, err := tx.Sessions().Join(v.t.Context(), v.Tenant.ID, identity.SessionApplication{Session: s.ID, Application: v.app.ID,
			Protocol: v.app.Protocol, Index: identity.NewID(identity.SessionID)})
		return err
	})
	return s.ID
}

// request gets a page, or posts a form to it.
func (v *browser) request(page string, form url.Values) (code int, to, body string) {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodGet, "/t/demo/me"+page, nil)
	if form != nil {
		r = httptest.NewRequestWithContext(v.t.Context(), http.MethodPost, "/t/demo/me"+page, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range v.cookies(v.secret) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.mux.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Location"), w.Body.String()
}

func (v *browser) recoveryCodes() store.RecoverySet {
	v.t.Helper()
	set, err := v.DB.RecoveryCodes().Get(v.t.Context(), v.Tenant.ID, v.User.ID)
	if err != nil {
		v.t.Fatal(err)
	}
	return set
}

// Recovery codes require a second factor not older than ten minutes, for the
// page and for the form: somebody who finds a signed-in browser cannot make any.
// (It fails without FreshFactor in the row; if completedFactor is always true,
// or does not check the time or the state; and if a remembered device counts.)
func TestCRED16_RecoveryCodesRequireAFreshFactor(t *testing.T) {
	h := storetest.SQLite(t)
	v, a := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
	lost := h.Authenticator(t, "Pixel 8")
	h.Do(t, func(tx *store.Tx) error { return authenticator.Revoke(t.Context(), tx, lost, "lost") })
	now := h.Clock.Now()
	password := identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: now}
	factor := func(by identity.Method, with string, age time.Duration) identity.CompletedFactor {
		return identity.CompletedFactor{Validation: identity.SecondFactor, Method: by, Authenticator: with, At: now.Add(-age)}
	}
	for _, tt := range []struct {
		name   string
		passed []identity.CompletedFactor
		want   bool
	}{
		{"none", []identity.CompletedFactor{password}, false},
		{"fresh", []identity.CompletedFactor{password, factor(identity.ByPush, a.ID, 10*time.Minute)}, true},
		{"old", []identity.CompletedFactor{password, factor(identity.ByPush, a.ID, 10*time.Minute+time.Second)}, false},
		{"of an authenticator that is lost", []identity.CompletedFactor{password, factor(identity.ByPasscode, lost.ID, 0)}, false},
		{"of one that nobody has", []identity.CompletedFactor{password, factor(identity.ByPasscode, "aut_x", 0)}, false},
		{"a remembered device", []identity.CompletedFactor{password, factor(identity.ByRememberedDevice, "", 0)}, false},
		{"a recovery code", []identity.CompletedFactor{password, factor(identity.ByRecoveryCode, "", 0)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v.signIn(tt.passed...)
			made := v.recoveryCodes().MadeAt
			for _, form := range []url.Values{nil, {"do": {"make"}, "state": {tt.name}}} {
				code, to, body := v.request("/recovery-codes", form)
				if got := code == http.StatusOK; got != tt.want || !got && to != "/t/demo/login?for=recovery-codes&fresh=1" {
					t.Errorf("%v: %d to %q, want %v\n%.300s", form, code, to, tt.want, body)
				}
			}
			if got := v.recoveryCodes(); !tt.want && !got.MadeAt.Equal(made) {
				t.Errorf("codes were made: %+v", got)
			}
		})
	}
}

var shownCode = regexp.MustCompile(`<code>([0-9A-Z-]{19})</code>`)

// A set is shown once. The same form again makes no second one, which would
// void codes that were just printed. (It fails without UseFormOnce.)
func TestCRED16_RecoveryCodesAreShownOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		v, a := newBrowser(t, h), h.Authenticator(t, "Pixel 9")
		v.signIn(identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, Authenticator: a.ID, At: h.Clock.Now()})
		form := url.Values{"do": {"make"}, "state": {"17"}}
		_, _, body := v.request("/recovery-codes", form)
		codes := shownCode.FindAllStringSubmatch(body, -1)
		if len(codes) != authenticator.RecoveryCodes || !strings.Contains(body, `download="recovery-codes.txt"`) || strings.Contains(body, "ZgotmplZ") {
			t.Fatalf("%d codes on\n%s", len(codes), body)
		}
		if !strings.Contains(body, `data-reload="/t/demo/me/recovery-codes?said=codes"`) {
			t.Errorf("with scripts a reload sends the form again:\n%s", body)
		}
		code, to, body := v.request("/recovery-codes", form)
		if code != http.StatusSeeOther || to != "/t/demo/me/recovery-codes?said=codes" || shownCode.MatchString(body) {
			t.Errorf("the form again: %d to %q\n%.400s", code, to, body)
		}
		if code, _, body := v.request("/recovery-codes?said=codes", nil); code != http.StatusOK || !strings.Contains(body, "were shown once") || shownCode.MatchString(body) ||
			strings.Contains(body, `role="alert"`) {
			t.Errorf("after a reload: %d\n%.400s", code, body)
		}
		h.Do(t, func(tx *store.Tx) error {
			holds, err := tx.RecoveryCodes().Has(t.Context(), h.Tenant.ID, h.User.ID, authenticator.CanonicalRecoveryCode(codes[0][1]))
			if err == nil && !holds {
				t.Error("the first set was voided")
			}
			return err
		})
		if _, _, body := v.request("/recovery-codes", nil); shownCode.MatchString(body) {
			t.Error("the codes are shown again")
		}
	})
}

// A link to the self-service pages cannot redirect to another address, put
// words on a page, or name a page that is not in the table (T-LOG-21).
func TestTLOG21_LinksToSelfServiceNameAPage(t *testing.T) {
	h := storetest.SQLite(t)
	v := newBrowser(t, h)
	v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})
	for page, want := range map[string]int{"": 200, "/authenticators": 200, "/security": 200, "/sessions": 200, "/devices": 200,
		"/nothing": 404, "/devices/dev_1": 404, "/..%2f..%2fetc": 404, "/https:%2f%2fevil.example": 404} {
		if code, _, _ := v.request(page, nil); code != want {
			t.Errorf("%q: %d, want %d", page, code, want)
		}
	}
	if _, _, body := v.request("?said=Call+0900+1234", nil); strings.Contains(body, "0900 1234") || strings.Contains(body, `role="status"`) {
		t.Errorf("words of a link on the page:\n%s", body)
	}
	if code, _, _ := v.request("/security", url.Values{"do": {"wipe"}}); code != http.StatusUnprocessableEntity && code != http.StatusBadRequest {
		t.Errorf("a form no page has: %d", code)
	}
}

// The cards say how their subjects stand, and the overview what is missing; what the
// tenant does not use is not missed.
func TestCRED16_TheOverviewSaysWhatIsMissing(t *testing.T) {
	h := storetest.SQLite(t)
	v := newBrowser(t, h)
	h.Do(t, func(tx *store.Tx) error {
		_, err := tx.Users().ReplacePassword(t.Context(), h.Tenant.ID, h.User.ID, h.User.Password, "$argon2id$")
		return err
	})
	v.signIn(identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: h.Clock.Now()})
	shows := func(page string, want map[string]bool) {
		t.Helper()
		code, _, body := v.request(page, nil)
		_, body, _ = strings.Cut(body, "<main>")
		for words, there := range want {
			if code != http.StatusOK || strings.Contains(body, words) != there {
				t.Errorf("%q: %d, %q is there: %v, want %v\n%s", page, code, words, !there, there, body)
			}
		}
	}
	const noCodes, noneAtHand = "You have no recovery codes yet", "You have none yet"
	shows("", map[string]bool{"What is missing": true, noneAtHand: true, noCodes: false})
	a := h.Authenticator(t, "Pixel 9")
	shows("", map[string]bool{"What is missing": true, noneAtHand: false, noCodes: true, "No recovery codes yet": true, "in use": true, "Signed in on": true})
	shows("/security", map[string]bool{"Changed in": true, h.Clock.Now().Format("January 2006"): true, "No recovery codes yet": true, "None yet": true})
	v.signIn(identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, Authenticator: a.ID, At: h.Clock.Now()})
	_, _, body := v.request("/recovery-codes", url.Values{"do": {"make"}, "state": {"1"}})
	shows("", map[string]bool{"What is missing": false})
	shows("/security", map[string]bool{"codes left": true})
	codes := shownCode.FindAllStringSubmatch(body, -1)
	h.Do(t, func(tx *store.Tx) error {
		for _, code := range codes[:8] {
			if _, err := tx.RecoveryCodes().Use(t.Context(), h.Tenant.ID, h.User.ID, authenticator.CanonicalRecoveryCode(code[1])); err != nil {
				return err
			}
		}
		return nil
	})
	shows("", map[string]bool{"What is missing": true, "recovery codes are left": true})
	off, err := policy.Encode(policy.Credentials{Kinds: []identity.AuthenticatorKind{identity.AppToken}, Passkeys: policy.NoPasskeys, MaxAuthenticators: 5})
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindCredentials, 0, off)
	})
	shows("", map[string]bool{"What is missing": false})
	shows("/security", map[string]bool{"Not used in your organisation": true, "codes left": false})
	shows("/recovery-codes", map[string]bool{"does not use recovery codes": true, `value="make"`: false})
}

package web_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

var (
	demo  = identity.Tenant{Slug: "demo"}
	other = identity.Tenant{Slug: "other"}

	firstKey  = bytes.Repeat([]byte{1}, 32)
	secondKey = bytes.Repeat([]byte{2}, 32)
)

func newSessions(keys ...[]byte) *web.Site { return &web.Site{Sessions: web.NewSessions(keys, true)} }

// cookieOf returns the one cookie that set sets for a browser without any.
func cookieOf(t *testing.T, set func(w http.ResponseWriter, r *http.Request) error) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	err := set(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if cookies := w.Result().Cookies(); err != nil || len(cookies) != 1 {
		t.Fatalf("%v, %v", cookies, err)
	}
	return w.Result().Cookies()[0]
}

func browserCookie(t *testing.T, s *web.Site, tenant identity.Tenant) *http.Cookie {
	t.Helper()
	return cookieOf(t, func(w http.ResponseWriter, r *http.Request) error {
		_, err := s.EnsureBrowser(w, r, tenant)
		return err
	})
}

// browser returns the hash of the browser in a request whose browser cookie has
// this value; empty if the cookie is invalid, which is never an error.
func browser(t *testing.T, s *web.Site, name, value string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: name, Value: value})
	if _, err := s.Sessions.Get(r, name); err != nil {
		t.Errorf("Get(%.60q): %v", value, err)
	}
	hash, _ := s.Browser(r, demo)
	return hash
}

// A cookie with one changed bit, or one that was cut, is invalid, whether it is
// in the time, the secret or the signature.
func TestSessions_AChangedCookieIsNone(t *testing.T) {
	s := newSessions(firstKey)
	c := browserCookie(t, s, demo)
	if browser(t, s, c.Name, c.Value) == "" {
		t.Fatal("the cookie as it was set is not read")
	}
	raw, err := base64.URLEncoding.DecodeString(c.Value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if browser(t, s, c.Name, base64.URLEncoding.EncodeToString(changed)) != "" {
			t.Errorf("with byte %d changed it was read", i)
		}
		if browser(t, s, c.Name, base64.URLEncoding.EncodeToString(raw[:i])) != "" {
			t.Errorf("cut to %d bytes it was read", i)
		}
	}
}

// A new root signs, and signatures of old ones are still accepted: nobody is
// signed out.
func TestSessions_ANewRootTakesNobodysCookieAway(t *testing.T) {
	before, after := newSessions(firstKey), newSessions(secondKey, firstKey)
	old, renewed := browserCookie(t, before, demo), browserCookie(t, after, demo)
	for _, tt := range []struct {
		name   string
		site   *web.Site
		cookie *http.Cookie
		want   bool
	}{
		{"an old cookie, after the rotation", after, old, true},
		{"a new cookie, after the rotation", after, renewed, true},
		{"a new cookie is signed by the new root", newSessions(secondKey), renewed, true},
		{"a new cookie is not signed by the old root", before, renewed, false},
		{"an old cookie, once its root is gone", newSessions(secondKey), old, false},
	} {
		if got := browser(t, tt.site, tt.cookie.Name, tt.cookie.Value) != ""; got != tt.want {
			t.Errorf("%s: read %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The value of a cookie of another tenant or of another kind is invalid, though
// it is signed and has the right form.
func TestSessions_ACookieIsWorthNothingInAnothersPlace(t *testing.T) {
	s, secret := newSessions(firstKey), identity.NewSecret()
	own := browserCookie(t, s, demo)
	for name, c := range map[string]*http.Cookie{
		"another tenant's": browserCookie(t, s, other),
		"the session's":    cookieOf(t, func(w http.ResponseWriter, r *http.Request) error { return s.SetSession(w, r, demo, secret) }),
		"the language's":   cookieOf(t, func(w http.ResponseWriter, r *http.Request) error { return s.PickLanguage(w, r, secret) }),
	} {
		if browser(t, s, own.Name, c.Value) != "" {
			t.Errorf("%s cookie was taken for the browser's", name)
		}
	}
	// The names with https and with http differ.
	loopback := &web.Site{Sessions: web.NewSessions([][]byte{firstKey}, false)}
	if plain := browserCookie(t, loopback, demo); browser(t, s, own.Name, plain.Value) != "" {
		t.Error("a cookie without the __Host- prefix was taken for one with it")
	}
}

func TestSessions_GarbageIsNoCookieAndNoError(t *testing.T) {
	s := newSessions(firstKey)
	name := browserCookie(t, s, demo).Name
	codec := securecookie.New(firstKey, nil).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	signed := func(value string) string {
		encoded, err := codec.Encode(name, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	if browser(t, s, name, signed(identity.NewSecret())) == "" {
		t.Fatal("what the test signs is not read")
	}
	for _, value := range []string{
		"", "x", "=", "|", "||", strings.Repeat("A", 5000), strings.Repeat("|", 200), identity.NewSecret(), // a secret without signature
		signed(""), signed("x"), signed(strings.Repeat("A", 52)), // signed, but no secret
		signed(strings.Repeat("a", 4096)), signed(identity.NewSecret() + strings.Repeat(" ", 4096)), // too long to be read
	} {
		if browser(t, s, name, value) != "" {
			t.Errorf("%.60q was taken for a browser", value)
		}
	}
	if zero := new(web.Site); browser(t, zero, name, signed(identity.NewSecret())) != "" {
		t.Error("without a key a cookie was read")
	}
}

// A cookie is read however long ago it was signed: the browser's MaxAge and the
// row end it. (It fails with the codec's default age of 30 days.)
func TestSessions_ACookieHasNoAgeOfItsOwn(t *testing.T) {
	s := newSessions(firstKey)
	name := browserCookie(t, s, demo).Name
	body := fmt.Sprintf("%d|%s", time.Now().Add(-399*24*time.Hour).Unix(), base64.URLEncoding.EncodeToString([]byte(identity.NewSecret())))
	mac := hmac.New(sha256.New, firstKey)
	mac.Write([]byte(name + "|" + body))
	value := base64.URLEncoding.EncodeToString(append([]byte(body+"|"), mac.Sum(nil)...))
	if browser(t, s, name, value) == "" {
		t.Error("a cookie of 399 days ago is not read")
	}
}

// A cookie that was set or removed is so for the rest of its request too.
func TestSessions_ARequestSeesWhatItHasSet(t *testing.T) {
	site, h, _ := newSite(t, "https://id.example.org")
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	first, err := site.EnsureBrowser(w, r, h.Tenant)
	if again, ok := site.Browser(r, h.Tenant); err != nil || !ok || again != first {
		t.Errorf("the browser %q is %q in the same request, %v", first, again, err)
	}
	secret, now := identity.NewSecret(), h.Clock.Now()
	h.Do(t, func(tx *store.Tx) error {
		return tx.Sessions().Save(t.Context(), identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID,
			Browser: first, AuthTime: now, Idle: time.Hour, ExpiresAt: now.Add(time.Hour)}, secret)
	})
	if err := site.SetSession(w, r, h.Tenant, secret); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Session(r, h.Tenant); err != nil {
		t.Errorf("the session that was set: %v", err)
	}
	if err := site.ClearSession(w, r, h.Tenant); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Session(r, h.Tenant); !errors.Is(err, identity.Unauthenticated) {
		t.Errorf("the session that was dropped: %v", err)
	}
	all := w.Result().Cookies()
	if last := all[len(all)-1]; last.MaxAge >= 0 || last.Value != "" || !last.Secure || last.Path != "/" {
		t.Errorf("dropped by %+v", last)
	}
}

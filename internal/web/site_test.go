package web_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
)

func newSite(t *testing.T, base string) (*web.Site, *storetest.Fixture, *strings.Builder) {
	t.Helper()
	h := storetest.SQLite(t)
	site := webtest.Site(t, h.DB, base)
	var log strings.Builder
	site.Log = slog.New(slog.NewTextHandler(&log, nil))
	site.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return site, h, &log
}

func TestTLOG23_AddressIsBelievedFromTrustedProxiesAlone(t *testing.T) {
	site, _, _ := newSite(t, "https://id.example.org")
	for _, tt := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:1234", "", "192.0.2.1"},
		{"192.0.2.1:1234", "203.0.113.9", "192.0.2.1"},                // the peer is no trusted proxy
		{"10.0.0.1:1234", "203.0.113.9", "203.0.113.9"},               // the peer is a trusted proxy
		{"10.0.0.1:1234", "198.51.100.1, 203.0.113.9", "203.0.113.9"}, // the first hop is what the client claimed
		{"10.0.0.1:1234", "203.0.113.9, 10.0.0.2", "203.0.113.9"},     // two trusted proxies
		{"10.0.0.1:1234", "garbage", ""},                              // unknown, and not the proxy's address
		{"10.0.0.1:1234", "203.0.113.9, <script>", ""},
		{"[::ffff:192.0.2.1]:1234", "", "192.0.2.1"},
		{"[2001:db8::1]:1234", "", "2001:db8::1"},
		{"nonsense", "203.0.113.9", ""},
		{"10.0.0.1:1234", "203.0.113.9:4711", "203.0.113.9"}, // as Azure's gateways write it
		{"10.0.0.1:1234", "[2001:db8::9]:4711", "2001:db8::9"},
		{"10.0.0.1:1234", "[2001:db8::9]", "2001:db8::9"},
		{"10.0.0.1:1234", "2001:db8::9", "2001:db8::9"},
		{"10.0.0.1:1234", "[::ffff:203.0.113.9]:1", "203.0.113.9"},
		{"10.0.0.1:1234", "203.0.113.9:4711, 10.0.0.2:80", "203.0.113.9"},
		{"10.0.0.1:1234", "[203.0.113.9]", ""},
		{"10.0.0.1:1234", "203.0.113.9:", ""},
		{"10.0.0.1:1234", "203.0.113.9:99999", ""},
		{"10.0.0.1:1234", "[2001:db8::9", ""},
		{"10.0.0.1:1234", "2001:db8::9]", ""},
		{"10.0.0.1:1234", `"203.0.113.9"`, ""},
		{"10.0.0.1:1234", "unknown", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := site.ClientIP(r); got != tt.want {
			t.Errorf("%s, forwarded %q: %q, want %q", tt.peer, tt.forwarded, got, tt.want)
		}
	}
}

// Forwarded is read where it is what the proxies write, and the other header is not: of the
// two, a proxy passes on the one it knows nothing of. Fails with either read beside the
// other.
func TestTLOG23_Forwarded(t *testing.T) {
	site, _, _ := newSite(t, "https://id.example.org")
	site.UseForwarded = true
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1234", []string{"for=203.0.113.9"}, "192.0.2.1"}, // the peer is no trusted proxy
		{"10.0.0.1:1234", nil, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"for=203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{`For="203.0.113.9:4711";proto=https;by=10.0.0.1`}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{`proto=https; host="a,b;c=\"d" ; for="[2001:db8::9]:4711"`}, "2001:db8::9"},
		{"10.0.0.1:1234", []string{`for="[2001:DB8::9]"`}, "2001:db8::9"},
		{"10.0.0.1:1234", []string{`for=203.0.113.9:4711`}, "203.0.113.9"}, // without the quotes it should have
		{"10.0.0.1:1234", []string{"for=198.51.100.1, for=203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{"for=198.51.100.1", "for=203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{"for=203.0.113.9, for=10.0.0.2"}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{", for=203.0.113.9 ,,"}, "203.0.113.9"},
		{"10.0.0.1:1234", []string{"for=203.0.113.9, for=unknown"}, ""},
		{"10.0.0.1:1234", []string{"for=203.0.113.9, for=_hidden"}, ""},
		{"10.0.0.1:1234", []string{"for=203.0.113.9, proto=https"}, ""}, // a proxy that does not say
		{"10.0.0.1:1234", []string{"for=203.0.113.9;for=198.51.100.1"}, ""},
		{"10.0.0.1:1234", []string{"203.0.113.9"}, ""},
		{"10.0.0.1:1234", []string{`for="203.0.113.9`}, ""},
		{"10.0.0.1:1234", []string{`for="x, for=203.0.113.9`}, ""},              // a client's quotation mark before what a proxy wrote
		{"10.0.0.1:1234", []string{`for="x`, "for=203.0.113.9"}, "203.0.113.9"}, // in a line of its own
		{"10.0.0.1:1234", []string{`for=203.0.113.9\`}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["Forwarded"] = tt.forwarded
		r.Header.Set("X-Forwarded-For", "198.51.100.77")
		if got := site.ClientIP(r); got != tt.want {
			t.Errorf("%s, forwarded %q: %q, want %q", tt.peer, tt.forwarded, got, tt.want)
		}
	}
	site.UseForwarded = false
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:1234"
	r.Header.Set("Forwarded", "for=203.0.113.9")
	if got := site.ClientIP(r); got != "10.0.0.1" {
		t.Errorf("Forwarded where it is not what proxies write: %q", got)
	}
}

func TestTLOG22_AddressesComeFromTheConfiguration(t *testing.T) {
	site, h, _ := newSite(t, "https://id.example.org")
	if got := site.URL(h.Tenant, "saml/metadata"); got != "https://id.example.org/t/demo/saml/metadata" {
		t.Errorf("URL = %s", got)
	}
}

func TestQLT4_CookiesAreHostBoundOverHTTPS(t *testing.T) {
	for _, tt := range []struct {
		base   string
		prefix string
		secure bool
	}{{"https://id.example.org", "__Host-", true}, {"http://localhost:8080", "", false}} {
		site, h, _ := newSite(t, tt.base)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		first, err := site.EnsureBrowser(w, r, h.Tenant)
		err = errors.Join(err, site.SetSession(w, r, h.Tenant, identity.NewSecret()), site.PickLanguage(w, r, "de"),
			site.SetDevice(w, r, h.Tenant, store.DeviceCookie{ID: identity.NewID(identity.DeviceID), Secret: identity.NewSecret()}, time.Hour))
		if err != nil || len(w.Result().Cookies()) != 4 {
			t.Fatalf("%s: %v, %v", tt.base, w.Result().Cookies(), err)
		}
		r = httptest.NewRequest(http.MethodGet, "/", nil)
		for _, c := range w.Result().Cookies() {
			if !strings.HasPrefix(c.Name, tt.prefix+"latchkey_") || c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("%s: cookie %+v", tt.base, c)
			}
			r.AddCookie(c)
		}
		if again, ok := site.Browser(r, h.Tenant); !ok || again != first {
			t.Errorf("the browser came back as another: %q, %v", again, ok)
		}
		if _, err := site.Session(r, h.Tenant); !errors.Is(err, identity.Unauthenticated) {
			t.Errorf("a secret of no session: %v", err)
		}
	}
}

func TestBrowser_GarbageCookiesAreNone(t *testing.T) {
	site, h, _ := newSite(t, "http://localhost:8080")
	for _, value := range []string{"", "x", strings.Repeat("a", 51), strings.Repeat("A", 52), strings.Repeat("a", 10_000), strings.Repeat("1", 52)} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "latchkey_browser_demo", Value: value})
		if _, ok := site.Browser(r, h.Tenant); ok {
			t.Errorf("%.60q was taken for a browser", value)
		}
	}
}

func TestQLT6_ErrorsCarryTheLogsIdentifierAndNoSecret(t *testing.T) {
	site, _, log := newSite(t, "https://id.example.org")
	for _, tt := range []struct {
		err    error
		status int
		says   string
	}{
		{errors.New("the database said s3cret"), 500, "Something went wrong"},
		{&identity.Error{Kind: identity.NotFound, Err: errors.New("s3cret")}, 404, "nothing at this address"},
		{fmt.Errorf("deep: %w", &identity.Error{Kind: identity.Throttled, Key: "error.throttled", RetryAfter: 90 * time.Second}), 429, "wait"},
		{&identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second}, 503, "busy"},
		{&http.MaxBytesError{Limit: 1}, 413, "too large"},
		{&identity.Error{Kind: identity.Invalid, Key: "no.such.key"}, 400, "Something went wrong"},
	} {
		log.Reset()
		w := httptest.NewRecorder()
		site.Headers(site.Handle(func(http.ResponseWriter, *http.Request) error { return tt.err })).
			ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		body := w.Body.String()
		if w.Code != tt.status || !strings.Contains(body, tt.says) || strings.Contains(body, "s3cret") {
			t.Errorf("%v: status %d, page\n%s", tt.err, w.Code, body)
		}
		id := textBetween(log.String(), "id=", " ")
		if id == "" || !strings.Contains(body, id) {
			t.Errorf("%v: the page lacks the log's identifier %q", tt.err, id)
		}
		if tt.status == 429 && w.Header().Get("Retry-After") != "90" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}

func textBetween(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestTADM23_HeadersStandOnEveryResponse(t *testing.T) {
	site, _, _ := newSite(t, "https://id.example.org")
	mux := http.NewServeMux()
	mux.Handle("GET /ok", site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, "ok")
		return err
	}))
	mux.Handle("GET /moved", http.RedirectHandler("/ok", http.StatusSeeOther))
	mux.Handle("GET /panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") }))
	h := site.Headers(site.Recover(site.SameOrigin(mux)))
	for _, tt := range []struct {
		method, path string
		status       int
	}{{"GET", "/ok", 200}, {"GET", "/moved", 303}, {"GET", "/none", 404}, {"POST", "/ok", 403}, {"DELETE", "/ok", 403}, {"GET", "/panic", 500}} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		if tt.method != "GET" {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.status)
		}
		for name, want := range map[string]string{"Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age="} {
			if !strings.Contains(w.Header().Get(name), want) {
				t.Errorf("%s %s: %s is %q", tt.method, tt.path, name, w.Header().Get(name))
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s %s: %s", tt.method, tt.path, csp)
		}
	}
}

func TestQLT3_FormsAreBounded(t *testing.T) {
	for size, want := range map[int]error{web.MaxBody - 100: nil, web.MaxBody + 1: identity.TooLarge} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a="+strings.Repeat("x", size)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := web.Form(httptest.NewRecorder(), r); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := web.Form(httptest.NewRecorder(), r); !errors.Is(err, identity.Invalid) {
		t.Errorf("garbage: %v", err)
	}
}

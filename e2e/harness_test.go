package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A check that cannot fail is worse than none, so each is shown a page that it
// must object to.
func TestHarnessFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	needAxe(t)
	site := serve(t, map[string]string{
		"/good":  `<h1>Hello</h1><p>Nothing to see.</p>`,
		"/mute":  `<h1>Hello</h1><button></button>`,
		"/pale":  `<h1>Hello</h1><p class="pale">Hardly to be read.</p>`,
		"/dim":   `<h1>Hello</h1><p class="dim">Hardly to be read at night.</p>`,
		"/wide":  `<h1>Hello</h1><p class="wide">A</p>`,
		"/throw": `<h1>Hello</h1><script src="/throw.js"></script>`,
		"/out":   `<h1>Hello</h1><img alt="" src="http://127.0.0.1:1/x.png">`,
	})
	process := chromium(t)
	b := Browse(t, process, Profile{})
	for _, tt := range []struct{ path, axe, dark, reflow string }{
		{path: "/good"},
		{path: "/mute", axe: "button-name"},
		{path: "/pale", axe: "color-contrast", dark: "color-contrast"},
		{path: "/dim", dark: "color-contrast"},
		{path: "/wide", reflow: "wide"},
	} {
		for _, b := range []*Browser{b, Browse(t, process, Profile{NoScript: true})} {
			b.Open(site + tt.path)
			if got := strings.Join(b.axe(everything), "\n"); !found(got, tt.axe) {
				t.Errorf("%s: axe says %q, want %q", tt.path, got, tt.axe)
			}
			b.scheme("dark")
			if got := strings.Join(b.axe(colours), "\n"); !found(got, tt.dark) {
				t.Errorf("%s: axe says of the dark %q, want %q", tt.path, got, tt.dark)
			}
			b.scheme("light")
			if got := strings.Join(b.overflow(320), "\n"); !found(got, tt.reflow) {
				t.Errorf("%s: sticking out %q, want %q", tt.path, got, tt.reflow)
			}
		}
	}
	b.Open(site + "/out")
	b.expectFault("Content Security Policy")
	b.Open(site + "/throw")
	b.expectFault("exception")
	b.Open(site + "/broken")
	b.expectFault("answered 500")
}

// Nor must a schema take what it does not describe: here, an entity that is
// nothing.
func TestHarnessSchemaRefuses(t *testing.T) {
	needXMLTools(t)
	out, err := againstSchema(t, "metadata", []byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://example.org"/>`))
	if err == nil || !strings.Contains(string(out), "Missing child element") {
		t.Errorf("the schema says %q, %v", out, err)
	}
}

// found reports whether got says want, or says nothing where want is nothing.
func found(got, want string) bool {
	return (got == "") == (want == "") && strings.Contains(got, want)
}

// Without this, a test without JavaScript, in German, or with two people would
// show nothing.
func TestHarnessBrowsersDiffer(t *testing.T) {
	t.Parallel()
	site := serve(t, map[string]string{"/page": `<h1>Before</h1><script src="/page.js"></script>`})
	process := chromium(t)
	mine := Browse(t, process, Profile{})
	theirs := Browse(t, process, Profile{Phone: true, Lang: "de-DE", NoScript: true})
	mine.Open(site + "/page")
	theirs.Open(site + "/page")

	if got := mine.Text("h1"); got != "After" {
		t.Errorf("with scripts the heading is %q, want After", got)
	}
	if got := theirs.Text("h1"); got != "Before" {
		t.Errorf("without scripts the heading is %q, want Before", got)
	}
	for _, tt := range []struct {
		b     *Browser
		lang  string
		width float64
	}{{mine, "en-US", 1280}, {theirs, "de-DE", 390}} {
		if got := tt.b.Attribute("html", "lang"); got != tt.lang {
			t.Errorf("asked for the language %q, want %q", got, tt.lang)
		}
		if got, _ := evaluate[float64](tt.b, `innerWidth`); got != tt.width {
			t.Errorf("%s: %v px wide, want %v", tt.lang, got, tt.width)
		}
	}
	mine.Reload()
	if got := mine.Attribute("body", "data-visits"); got != "2" {
		t.Errorf("on a second visit the cookie says %s, want 2", got)
	}
	if got := theirs.Attribute("body", "data-visits"); got != "1" {
		t.Errorf("a browser has another's cookie: visit %s, want 1", got)
	}
}

// serve answers with pages of these bodies, as strictly as Latchkey does, and
// counts a browser's visits in a cookie.
func serve(t *testing.T, bodies map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'")
		switch r.URL.Path {
		case "/page.css":
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, ".pale { color: #ddd } .wide { width: 500px } "+
				"@media (prefers-color-scheme: dark) { .dim { color: #eee } }")
			return
		case "/page.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `document.querySelector("h1").textContent = "After"`)
			return
		case "/throw.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `throw new Error("thrown")`)
			return
		case "/broken":
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		body, ok := bodies[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		count := 1
		if c, err := r.Cookie("visits"); err == nil {
			fmt.Sscan(c.Value, &count)
			count++
		}
		http.SetCookie(w, &http.Cookie{Name: "visits", Value: fmt.Sprint(count)})
		lang, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
		fmt.Fprintf(w, `<!doctype html><html lang=%q><meta name="viewport" content="width=device-width"><title>A page</title>
			<link rel="stylesheet" href="/page.css"><body data-visits="%d"><main>%s</main>`, lang, count, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

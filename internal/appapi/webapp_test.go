package appapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales/localestest"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/static/authenticator"
)

// webCookies are those of the pages that have the web authenticator's origin.
var webCookies = web.NewSessions([][]byte{make([]byte, 32)}, true)

// picked is the header of a browser in which a language was picked on a page;
// empty where none was.
func picked(t *testing.T, language string) string {
	t.Helper()
	if language == "" {
		return ""
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
	if err := (&web.Site{Sessions: webCookies}).PickLanguage(w, r, language); err != nil {
		t.Fatal(err)
	}
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

func newWebApp(t *testing.T) http.Handler {
	t.Helper()
	app, err := WebApp(&web.Site{Catalog: localestest.Partial(t), Base: &url.URL{Scheme: "https", Host: "id.example.org"}, Sessions: webCookies})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func get(app http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// versionOf is the version that the page names.
func versionOf(t *testing.T, app http.Handler) string {
	t.Helper()
	found := regexp.MustCompile(`"([0-9a-f]{16})/main\.js"`).FindStringSubmatch(body(t, get(app, "/authenticator/")))
	if found == nil {
		t.Fatal("the page names no main.js")
	}
	return found[1]
}

// Every file the page or a module names is there, under the same version.
func TestWebAppIsWhole(t *testing.T) {
	app := newWebApp(t)
	page := get(app, "/authenticator/")
	if page.StatusCode != http.StatusOK {
		t.Fatalf("page: %s", page.Status)
	}
	html := body(t, page)
	names := regexp.MustCompile(`(?:src|href)="([0-9a-f]{16}/[^"]+)"`).FindAllStringSubmatch(html, -1)
	if len(names) < 5 {
		t.Fatalf("%d files named in the page: %s", len(names), html)
	}
	media := map[string]string{".js": "text/javascript", "css": "text/css"}
	served := make(map[string]bool)
	var imports []string
	for _, name := range names {
		res := get(app, "/authenticator/"+name[1])
		if got, want := res.Header.Get("Content-Type"), media[name[1][len(name[1])-3:]]; res.StatusCode != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, %s", name[1], res.Status, got)
		}
		if got := res.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", name[1], got)
		}
		text := body(t, res)
		served[name[1][17:]] = true
		for _, found := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(text, -1) {
			imports = append(imports, found[1])
		}
	}
	for _, name := range imports {
		if !served[name] {
			t.Errorf("a module imports %s, which the page does not name", name)
		}
	}
	if res := get(app, "/authenticator/0000000000000000/main.js"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a module of another version: %s, want 404", res.Status)
	}
}

// All that makes the app is small enough for a slow phone: the page, its style
// and sentences, every module and icon, each as it would travel alone. The
// decoder of QR codes comes only when somebody scans.
func TestWebAppIsSmall(t *testing.T) {
	app := newWebApp(t)
	addresses := []string{"/authenticator/", "/authenticator/manifest.webmanifest", "/authenticator/sw.js",
		"/authenticator/" + versionOf(t, app) + "/texts?lang=ar"}
	err := fs.WalkDir(authenticator.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, "scanner/jsqr/") {
			addresses = append(addresses, "/authenticator/"+versionOf(t, app)+"/"+name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	pack := func(name string, from *http.Response) {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := io.WriteString(zip, body(t, from)); err != nil || from.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", name, from.Status, err)
		}
		if err := zip.Close(); err != nil {
			t.Fatal(err)
		}
		total += packed.Len()
	}
	for _, address := range addresses {
		pack(address, get(app, address))
	}
	for _, name := range []string{"latchkey.css", "favicon.svg"} {
		pack(name, get(static.Handler(), static.Asset(name)))
	}
	if total > 60_000 {
		t.Errorf("%d bytes compressed, want at most 60000", total)
	}
	t.Logf("%d bytes compressed in %d files", total, len(addresses)+2)
}

// Comments and indentation are not sent; what looks like either must not be part of
// a string of several lines.
func TestWebAppLeavesOutOnlyComments(t *testing.T) {
	names, err := fs.Glob(authenticator.Files, "*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(authenticator.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range unsent.FindAllIndex(data, -1) {
			before := unsent.ReplaceAll(data[:found[0]], nil)
			if bytes.Count(before, []byte("`"))%2 == 1 {
				t.Errorf("%s: within a text: %s", name, data[found[0]:found[1]])
			}
		}
	}
}

// What a request says may come from an attacker: the page may run and style itself
// with its own files only, and turn no text into markup.
func TestWebAppPolicy(t *testing.T) {
	res := get(newWebApp(t), "/authenticator/")
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "base-uri 'none'",
		"form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy lacks %s: %s", want, policy)
		}
	}
	html := body(t, res)
	if found := regexp.MustCompile(`<script(?:>| [^>]*>)[^<]|style="|\son[a-z]+=`).FindString(html); found != "" {
		t.Errorf("inline: %s", found)
	}
}

func TestENR13_WebAppSpeaks(t *testing.T) {
	app := newWebApp(t)
	for _, tt := range []struct {
		name, query, accept, cookie string
		lang, dir                   string
		borrows                     bool
	}{
		{"the browser's language", "", "de-AT,de;q=0.9", "", "de", "ltr", false},
		{"what was picked here", "?lang=ar", "de", "", "ar", "rtl", false},
		{"what was picked on a page", "", "de", "ar", "ar", "rtl", false},
		{"a partial language", "", "nl", "", "nl", "ltr", true},
		{"garbage", "?lang=%00%ff;;;", "\x01", "", "en", "ltr", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := get(app, "/authenticator/"+versionOf(t, app)+"/texts"+tt.query, "Accept-Language", tt.accept, "Cookie", picked(t, tt.cookie))
			var got struct {
				Lang, Dir string
				Texts     map[string]any
				Borrowed  map[string]string
				Languages []struct{ Tag, Name string }
			}
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.Lang != tt.lang || got.Dir != tt.dir {
				t.Errorf("speaks %s %s, want %s %s", got.Lang, got.Dir, tt.lang, tt.dir)
			}
			if (len(got.Borrowed) > 0) != tt.borrows {
				t.Errorf("borrows %v", got.Borrowed)
			}
			for key, lang := range got.Borrowed {
				if lang != "en" || got.Texts[key] == nil {
					t.Errorf("%s is borrowed from %q", key, lang)
				}
			}
			if got.Texts["app.request.approve"] == nil || len(got.Languages) < 4 {
				t.Errorf("%d texts, %d languages", len(got.Texts), len(got.Languages))
			}
		})
	}
}

// The link without its slash still leads to the app; browsers carry the
// fragment, with the activation in it, over the redirect.
func TestWebAppLinkWithoutSlash(t *testing.T) {
	res := get(newWebApp(t), "/authenticator")
	if res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != "/authenticator/" {
		t.Errorf("%s to %q", res.Status, res.Header.Get("Location"))
	}
}

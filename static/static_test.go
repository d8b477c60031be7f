package static

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandlerServesEveryAssetForEver(t *testing.T) {
	for name, a := range assets {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, Asset(name), nil))
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), a.content) {
			t.Errorf("%s: status %d, %d bytes, want 200 and %d", name, w.Code, w.Body.Len(), len(a.content))
		}
		if got, want := w.Header().Get("Content-Type"), a.media; got != want || want == "" {
			t.Errorf("%s: type %q, want %q", name, got, want)
		}
		if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
	}
}

func TestHandlerServesNothingElse(t *testing.T) {
	for _, address := range []string{"/static/", "/static/latchkey.css", "/static/static.go", "/static/../static.go", "/"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = address
		Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", address, w.Code)
		}
	}
}

// The login pages' style and scripts stay within 30 kB as they travel.
func TestLoginFitsItsBudget(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, name := range []string{"latchkey.css", "login.js"} {
		if _, err := z.Write(assets[name].content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 30_000 {
		t.Errorf("style and scripts weigh %d bytes, want at most 30000", b.Len())
	}
	t.Logf("%d bytes", b.Len())
}

func TestNothingComesFromElsewhere(t *testing.T) {
	for name, a := range assets {
		content := strings.ReplaceAll(string(a.content), "http://www.w3.org/2000/svg", "")
		if strings.Contains(content, "http:") || strings.Contains(content, "https:") || strings.Contains(content, "url(//") {
			t.Errorf("%s refers to another origin", name)
		}
	}
}

package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandlerServesEveryAssetForEver(t *testing.T) {
	for name, a := range assets {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, Asset(name), nil))
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), a.plain) {
			t.Errorf("%s: status %d, %d bytes, want 200 and %d", name, w.Code, w.Body.Len(), len(a.plain))
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

// The style and scripts of the sign-in pages are at most 30 kB compressed.
func TestLoginFitsItsBudget(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, name := range []string{"latchkey.css", "login.js"} {
		if _, err := z.Write(assets[name].plain); err != nil {
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

func TestNoFileRefersToAnotherOrigin(t *testing.T) {
	for name, a := range assets {
		content := strings.ReplaceAll(string(a.plain), "http://www.w3.org/2000/svg", "")
		if strings.Contains(content, "http:") || strings.Contains(content, "https:") || strings.Contains(content, "url(//") {
			t.Errorf("%s refers to another origin", name)
		}
	}
}

// A client that accepts gzip gets it, with the same content; one that asks for a
// range, or does not accept gzip, gets the content uncompressed.
func TestFilesAreCompressed(t *testing.T) {
	content := []byte(strings.Repeat("a line of a style sheet\n", 200))
	for accepted, want := range map[string]string{"": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "identity": "", "gzip;q=0": "", "deflate, GZIP": "gzip"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accepted)
		w := httptest.NewRecorder()
		NewFile(content).Serve(w, r)
		if got := w.Header().Get("Content-Encoding"); got != want || w.Code != http.StatusOK || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %d, %q, want %q", accepted, w.Code, got, want)
		}
		body := io.Reader(w.Body)
		if want == "gzip" {
			if w.Body.Len() > len(content)/10 {
				t.Errorf("%d bytes of %d", w.Body.Len(), len(content))
			}
			unzipped, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = unzipped
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%q: %d bytes, %v", accepted, len(got), err)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Range", "bytes=2-5")
	w := httptest.NewRecorder()
	NewFile(content).Serve(w, r)
	if got := w.Body.String(); got != "line" || w.Code != http.StatusPartialContent || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("a part: %d %q", w.Code, got)
	}
}

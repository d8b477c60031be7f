package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/static"
)

// Every page there is, in states a walk through the house seldom meets: axe-core
// in both schemes, reflow at 320 px, and scripts that neither break the content
// security policy nor throw. The pages come from the test of package templates,
// which renders each of them in each language.
func TestJRN13_EveryPage(t *testing.T) {
	needAxe(t)
	b := Browse(t, chromium(t), Look{})
	site, pages := samples(t)
	for _, page := range pages {
		name, lang, _ := strings.Cut(strings.TrimSuffix(page, ".html"), ".")
		b.Open(site + "/" + page)
		if strings.HasPrefix(name, "autopost") {
			b.awaitFault("form-action") // it posts itself, and may not here
		}
		if lang == "en" {
			b.Inspect("page-" + name)
			continue
		}
		// Other words in the same places: they may be too long, and lack an
		// accessible name, but they have the same colours.
		for _, f := range b.sticksOut(320) {
			t.Errorf("%s: at 320 px this is wider than the window: %s", page, f)
		}
		b.resize(1280)
		for _, v := range b.axe() {
			t.Errorf("%s: %s", page, v)
		}
	}
}

// samples renders all pages into a folder and serves them as Latchkey does.
func samples(t *testing.T) (site string, pages []string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestEveryPageInEveryLanguage$",
		"github.com/latchkey-id/latchkey/templates")
	cmd.Env = append(os.Environ(), "LATCHKEY_PAGES="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rendering the pages: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages in %s: %v", dir, err)
	}
	for _, file := range files {
		pages = append(pages, filepath.Base(file))
	}
	slices.Sort(pages)

	mux := http.NewServeMux()
	mux.Handle("GET "+static.Prefix, static.Handler())
	mux.Handle("GET /{page}", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // event streams: stay away
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
			"img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, pages
}

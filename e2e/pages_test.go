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

// Every page there is, in every state (package templates sees to that): axe-core
// in both schemes, from the left in long words and from the right; reflow at
// 320 px in every language; and scripts that neither break the content security
// policy nor throw. In English the walks through a sign-in look at their pages.
func TestJRN13_EveryPage(t *testing.T) {
	needAxe(t)
	process := chromium(t)
	site, pages, languages := samples(t)
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			closely := lang == "de" || lang == "ar"
			look := Look{Lang: lang}
			if !closely {
				look.Width = 320
			}
			b := Browse(t, process, look)
			for _, name := range pages {
				b.Open(site + "/" + name + "." + lang + ".html")
				if strings.HasPrefix(name, "autopost") {
					b.awaitFault("form-action") // it posts itself, and may not here
				}
				if closely {
					b.Inspect("page-" + name + "-" + lang)
					continue
				}
				// The same elements in the same colours; but the words may be too long.
				for _, f := range b.sticksOut(320) {
					t.Errorf("%s: at 320 px this is wider than the window: %s", name, f)
				}
			}
		})
	}
	// Without scripts other elements can be seen, whatever the language: a
	// third of the pages in each will do.
	t.Run("noscript", func(t *testing.T) {
		t.Parallel()
		b := Browse(t, process, Look{NoScript: true})
		for i, name := range pages {
			lang := inspected[i%len(inspected)]
			b.Open(site + "/" + name + "." + lang + ".html")
			b.Inspect("page-" + name + "-" + lang)
		}
	})
}

// inspected are the languages in which pages are looked at closely: short words,
// long words, and words that run from the right.
var inspected = []string{"en", "de", "ar"}

// samples renders all pages in all languages into a folder and serves them as
// Latchkey does.
func samples(t *testing.T) (site string, pages, languages []string) {
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
		name, lang, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".html"), ".")
		pages, languages = append(pages, name), append(languages, lang)
	}
	slices.Sort(pages)
	slices.Sort(languages)
	pages, languages = slices.Compact(pages), slices.Compact(languages)

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
	return s.URL, pages, languages
}

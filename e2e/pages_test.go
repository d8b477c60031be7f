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

// Every page there is, in every state (package templates sees to that): axe-core in
// both colour schemes once, with scripts, and once more without where that shows
// other elements; what a language changes in every language; and scripts that
// neither break the content security policy nor throw.
func TestJRN13_EveryPage(t *testing.T) {
	t.Parallel()
	needAxe(t)
	process := chromium(t)
	site, pages, languages := samples(t)
	open := func(b *Browser, page, lang string) {
		b.Open(site + "/" + page + "." + lang + ".html")
		if strings.HasPrefix(page, "autopost") && !b.profile.NoScript {
			b.expectFault("form-action") // it posts itself, and may not here
		}
	}
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			b := Browse(t, process, Profile{Lang: lang, Width: 320})
			for _, page := range pages {
				open(b, page, lang)
				b.checkLayout("page-" + page + "-" + lang)
			}
			b.window(390, 844)
			open(b, "choose-four", lang)
			b.Await("four ways on one screen of a phone", `[...document.querySelectorAll(".ways .choice")].at(-1).getBoundingClientRect().bottom <= innerHeight`)
		})
	}
	// A third of the pages in each language will do: it changes neither the elements
	// nor their colours.
	for n, lang := range inspected {
		t.Run("axe in "+lang, func(t *testing.T) {
			t.Parallel()
			b, plain := Browse(t, process, Profile{Lang: lang}), Browse(t, process, Profile{Lang: lang, NoScript: true})
			for i := n; i < len(pages); i += len(inspected) {
				name := "page-" + pages[i] + "-" + lang
				open(b, pages[i], lang)
				b.Inspect(name)
				open(plain, pages[i], lang)
				if plain.visible() != b.visible() {
					plain.Inspect(name)
				}
			}
		})
	}
}

// inspected are the languages in which pages are looked at closely: short words,
// long words, and words that run from the right.
var inspected = []string{"en", "de", "ar"}

// samples renders all pages in all languages into a folder and serves them as
// Latchkey does.
func samples(t *testing.T) (site string, pages, languages []string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-run", "^TestEveryPageInEveryLanguage$",
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

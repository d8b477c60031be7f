package enroll

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/static/authenticator"
	"github.com/latchkey-id/latchkey/web"
)

// webAppPolicy lets the web authenticator load its own files, talk to its own
// origin, and nothing else: no form leaves it, no page frames it, and no text
// becomes markup or code (trusted types), whatever a request says.
const webAppPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// A webApp serves the web authenticator.
type webApp struct {
	kit     *web.Kit
	page    *template.Template
	version string // of the files, by their content
	modules []string
}

// WebApp returns the handler for /authenticator and below: the page, its
// files, and its sentences.
//
// The page names its files by a version made from their content, so that a
// browser keeps them for ever, yet never runs modules of two versions at once.
func WebApp(kit *web.Kit) (http.Handler, error) {
	page, err := template.New("authenticator").Parse(authenticator.Page)
	if err != nil {
		return nil, fmt.Errorf("enroll: page of the web authenticator: %w", err)
	}
	app := &webApp{kit: kit, page: page}
	sum := sha256.New()
	err = fs.WalkDir(authenticator.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(authenticator.Files, name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(data), data)
		if strings.HasSuffix(name, ".js") && name != "main.js" && !strings.HasPrefix(name, "scanner/") { // that comes when it is needed
			app.modules = append(app.modules, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: files of the web authenticator: %w", err)
	}
	app.version = hex.EncodeToString(sum.Sum(nil)[:8])

	mux := http.NewServeMux()
	mux.Handle("GET /authenticator/{$}", kit.Handle(app.servePage))
	mux.Handle("GET /authenticator/texts", kit.Handle(app.serveTexts))
	files := "/authenticator/" + app.version + "/"
	mux.Handle("GET "+files, http.StripPrefix(files, immutable(http.FileServerFS(authenticator.Files))))
	// The fragment, with the activation in it, survives a redirect.
	mux.Handle("GET /authenticator", http.RedirectHandler("/authenticator/", http.StatusPermanentRedirect))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", webAppPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	}), nil
}

func immutable(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
}

// printer chooses the language: what was picked in the app, on a page of ours,
// or in the browser. No tenant has a say: the app may hold accounts of several.
func (app *webApp) printer(w http.ResponseWriter, r *http.Request) locales.Printer {
	w.Header().Set("Vary", "Accept-Language, Cookie")
	w.Header().Set("Cache-Control", "no-cache")
	return app.kit.Printer(r, r.URL.Query().Get("lang"), "", "")
}

func (app *webApp) servePage(w http.ResponseWriter, r *http.Request) error {
	l := app.printer(w, r)
	files := app.version + "/"
	modules := make([]string, len(app.modules))
	for i, name := range app.modules {
		modules[i] = files + name
	}
	var b bytes.Buffer
	err := app.page.Execute(&b, struct {
		L          locales.Printer
		Stylesheet string
		Files      string
		Modules    []string
	}{l, static.Asset("latchkey.css"), files, modules})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // who has left needs no answer
	return nil
}

// serveTexts sends the app's sentences in one language. Which of them are
// borrowed from another is said beside, so that the page can mark each with its
// own language (ENR-13).
func (app *webApp) serveTexts(w http.ResponseWriter, r *http.Request) error {
	l := app.printer(w, r)
	type choice struct {
		Tag  string `json:"tag"`
		Name string `json:"name"`
	}
	answer := struct {
		Lang      string            `json:"lang"`
		Dir       string            `json:"dir"`
		Texts     map[string]any    `json:"texts"`
		Borrowed  map[string]string `json:"borrowed"`
		Languages []choice          `json:"languages"`
	}{l.Lang(), l.Dir(), l.Texts("app."), map[string]string{}, nil}
	for key := range answer.Texts {
		if l.Fallback(key) {
			answer.Borrowed[key] = l.TextLang(key)
		}
	}
	for _, language := range app.kit.Catalog.Languages() {
		answer.Languages = append(answer.Languages, choice{language.Tag, language.Name})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who has left needs no answer
	return nil
}

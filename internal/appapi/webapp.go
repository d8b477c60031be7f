package appapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/static/authenticator"
)

// webAppPolicy lets the web authenticator load its own files, talk to its own
// origin, and nothing else: no form leaves it, no page frames it, and no text
// becomes markup or code (trusted types), whatever a request says.
// The only addresses that a string may become are those of its two workers.
const webAppPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types latchkey-worker latchkey-decoder"

// workerPolicy is what the service worker may do: run its own modules, and talk
// to its own origin.
const workerPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// A webApp serves the web authenticator.
type webApp struct {
	site    *web.Site
	page    *template.Template
	files   map[string]static.File
	version string   // of all that makes the app, by its content
	modules []string // that the page runs, main.js apart
	kept    []string // what the service worker keeps, beside the page and its sentences
}

// WebApp returns the handler for /authenticator and below: the page, its
// files, its sentences, and what makes it an app that can be installed.
//
// The page names its files by a version made from their content, so that a
// browser keeps them for ever, yet never runs modules of two versions at once.
func WebApp(site *web.Site) (http.Handler, error) {
	page, err := template.New("authenticator").Parse(authenticator.Page)
	if err != nil {
		return nil, fmt.Errorf("appapi: page of the web authenticator: %w", err)
	}
	app := &webApp{site: site, page: page, files: make(map[string]static.File)}
	if err := app.index(); err != nil {
		return nil, fmt.Errorf("appapi: files of the web authenticator: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /authenticator/{$}", site.Handle(app.servePage))
	mux.Handle("GET /authenticator/manifest.webmanifest", site.Handle(app.serveManifest))
	mux.Handle("GET /authenticator/sw.js", site.Handle(app.serveWorker))
	files := "/authenticator/" + app.version + "/"
	mux.Handle("GET "+files+"texts", site.Handle(app.serveTexts))
	mux.Handle("GET "+files+"{name...}", http.HandlerFunc(app.serveFile))
	// The fragment, with the activation in it, survives a redirect.
	mux.Handle("GET /authenticator", http.RedirectHandler("/authenticator/", http.StatusPermanentRedirect))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", webAppPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		// The one page that has use for a camera; no other, and no frame, gets it.
		h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=(), payment=(), usb=()")
		mux.ServeHTTP(w, r)
	}), nil
}

// index lists the files and makes the version. The page, the look and the
// sentences are part of it: the service worker keeps them all as one.
func (app *webApp) index() error {
	style := static.Asset("latchkey.css")
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", authenticator.Page, style, static.Asset("favicon.svg"))
	for _, language := range app.site.Catalog.Languages() {
		l := app.site.Catalog.Negotiate(language.Tag, "", "", "")
		texts, err := json.Marshal(l.Texts("app."))
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %s\n", l.Lang(), texts)
	}
	var files []string
	err := fs.WalkDir(authenticator.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(authenticator.Files, name)
		if path.Ext(name) == ".js" && !strings.HasPrefix(name, "scanner/") {
			// A quarter of what a phone would fetch are comments. Their lines stay,
			// so that the line numbers of errors are those of the source.
			data = unsent.ReplaceAll(data, nil)
		}
		app.files[name] = static.NewFile(data)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(data), data)
		if strings.HasPrefix(name, "scanner/") || slices.Contains(authenticator.Background, name) {
			return err // the page does not run these, or only when somebody scans
		}
		files = append(files, name)
		if strings.HasSuffix(name, ".js") && name != "main.js" {
			app.modules = append(app.modules, name)
		}
		return err
	})
	app.version = hex.EncodeToString(sum.Sum(nil)[:8])
	app.kept = []string{style, static.Asset("favicon.svg")}
	for _, name := range files {
		app.kept = append(app.kept, app.version+"/"+name)
	}
	return err
}

// serveFile sends a file.
func (app *webApp) serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, ok := app.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if media := mediaTypes[path.Ext(name)]; media != "" {
		w.Header().Set("Content-Type", media)
	}
	content.Serve(w, r)
}

// mediaTypes are said by us: the machine's own tables may be missing or odd,
// and under nosniff a script of the wrong type does not run.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".png": "image/png",
}

// unsent is what of a module is not sent: indentation, comments of a whole line,
// and comments at the end of a line, if no quote follows that could be the end of a
// string in which they stand.
var unsent = regexp.MustCompile("(?m)^[\\t ]+(?://.*$)?|^//.*$|[\\t ]+// [^\"'`\\n]*$")

// printer chooses the language: what was picked in the app, on a page of ours,
// or in the browser. No tenant has a say: the app may hold accounts of several.
func (app *webApp) printer(w http.ResponseWriter, r *http.Request) locales.Printer {
	w.Header().Set("Vary", "Accept-Language, Cookie")
	w.Header().Set("Cache-Control", "no-cache")
	return app.site.Printer(r, r.URL.Query().Get("lang"), "", "")
}

func (app *webApp) servePage(w http.ResponseWriter, r *http.Request) error {
	app.renewPresenceCookie(w, r)
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
		Icon       string
		Files      string
		Modules    []string
	}{l, static.Asset("latchkey.css"), static.Asset("favicon.svg"), files, modules})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // who has left needs no answer
	return nil
}

// manifest is what a browser must know to install the app (W3C Web Application
// Manifest). Its colours are the light ones; the page says the dark ones too.
type manifest struct {
	Name       string         `json:"name"`
	ShortName  string         `json:"short_name"`
	Lang       string         `json:"lang"`
	Dir        string         `json:"dir"`
	ID         string         `json:"id"`
	Start      string         `json:"start_url"`
	Scope      string         `json:"scope"`
	Display    string         `json:"display"`
	Background string         `json:"background_color"`
	Theme      string         `json:"theme_color"`
	Icons      []manifestIcon `json:"icons"`
}

type manifestIcon struct {
	Source  string `json:"src"`
	Sizes   string `json:"sizes"`
	Type    string `json:"type"`
	Purpose string `json:"purpose"`
}

// serveManifest sends the manifest, in the language its address asks for:
// browsers fetch it without cookies.
func (app *webApp) serveManifest(w http.ResponseWriter, r *http.Request) error {
	l := app.printer(w, r)
	icon := func(name, size, purpose string) manifestIcon {
		return manifestIcon{app.version + "/" + name, size + "x" + size, "image/png", purpose}
	}
	const home = "/authenticator/" // also the app's identity: it must never change
	w.Header().Set("Content-Type", "application/manifest+json")
	_ = json.NewEncoder(w).Encode(manifest{ // who has left needs no answer
		Name: "Latchkey " + l.T("app.title"), ShortName: l.T("app.title"), Lang: l.Lang(), Dir: l.Dir(),
		ID: home, Start: home, Scope: home, Display: "standalone", Background: "#f6f5f1", Theme: "#f6f5f1",
		Icons: []manifestIcon{
			icon("icon-192.png", "192", "any"), icon("icon-512.png", "512", "any"), icon("icon-maskable-512.png", "512", "maskable"),
		},
	})
	return nil
}

// serveWorker sends the service worker. It stands above the files it keeps, so
// that its scope is the whole app, and differs with every version, which is how
// browsers notice that there is a new one.
func (app *webApp) serveWorker(w http.ResponseWriter, r *http.Request) error {
	app.renewPresenceCookie(w, r)
	files, err := json.Marshal(app.kept)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Security-Policy", workerPolicy)
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	_, _ = fmt.Fprintf(w, "import { serve } from \"./%s/worker.js\";\n\nserve({ version: %[1]q, files: %s });\n", app.version, files)
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
	for _, language := range app.site.Catalog.Languages() {
		answer.Languages = append(answer.Languages, choice{language.Tag, language.Name})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who has left needs no answer
	return nil
}

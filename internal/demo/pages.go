package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/templates"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed demo.css
var styleSheet []byte

// A page is what every page is told, around the Body that is its own.
type page struct {
	L            locales.Printer
	Languages    []locales.Language // offered at the foot; empty where they are not
	Organisation string
	Body         body
}

// A body is what one page has for its own. Each file in the folder pages, but
// the layout, has one type.
type body interface {
	template() string        // name of the file in the folder pages
	Heading() templates.Text // the h1, and part of the title
}

// Title is what the window is called.
func (p page) Title() string {
	h := p.Body.Heading()
	return p.L.T("page.title", "heading", p.L.T(h.Key, h.Args...), "tenant", p.Organisation)
}

// Live is what static/login.js says by itself, as JSON.
func (p page) Live() (string, error) { return p.L.JSON("live.") }

// A start is the first page: what there is and what to try.
type start struct {
	Applications  []offered
	Users         []user
	First         user   // whom the steps are about
	Outsider      string // somebody who is no target user; empty if there is nobody
	Mailbox       string
	Passcodes     string
	Authenticator string
	Me            string
}

// An offered application is one to open.
type offered struct{ Name, Protocol, Path string }

// Names of the protocols.
const (
	samlProtocol = "SAML 2.0"
	oidcProtocol = "OpenID Connect"
)

func (start) template() string { return "start.html" }

// Heading is the page's.
func (start) Heading() templates.Text { return templates.Text{Key: "demo.start.heading"} }

// An application is a page of one somebody is signed in to.
type application struct {
	Application string
	Protocol    string
	Path        string
	User        string
	Told        []fact
}

func (application) template() string { return "application.html" }

// Heading is the page's.
func (a application) Heading() templates.Text {
	return templates.Text{Key: "demo.application.heading", Args: []any{"application", a.Application}}
}

// A fact is something an application was told, by the name the protocol has for it.
type fact struct{ Name, Value string }

// A refusal is the page of an application that was told no.
type refusal struct {
	Application string
	Path        string
	Why         string // the protocol's word; empty if the answer could not be used
}

func (refusal) template() string { return "refused.html" }

// Heading is the page's.
func (refusal) Heading() templates.Text { return templates.Text{Key: "demo.refused.heading"} }

// A signedOut is the page after signing out of an application.
type signedOut struct {
	Application string
	Path        string
	Still       bool // Latchkey's own session goes on
}

func (signedOut) template() string { return "signedout.html" }

// Heading is the page's.
func (signedOut) Heading() templates.Text { return templates.Text{Key: "demo.signedout.heading"} }

// A mailList is the mailbox.
type mailList struct{ Mails []Mail }

func (mailList) template() string { return "mails.html" }

// Heading is the page's.
func (mailList) Heading() templates.Text { return templates.Text{Key: "demo.mail.heading"} }

// A letter is one mail.
type letter struct{ Mail }

func (letter) template() string { return "mail.html" }

// Heading is the page's.
func (l letter) Heading() templates.Text {
	if l.Subject == "" {
		return templates.Text{Key: "demo.mail.nosubject"}
	}
	return templates.Text{Key: "demo.mail.subject", Args: []any{"subject", l.Subject}}
}

// A passcodes page has those of the authenticators that came with the demo.
type passcodes struct {
	Seconds int // for which they are good
	Codes   []passcode
}

type passcode struct{ User, Code, Seed string }

func (passcodes) template() string { return "passcodes.html" }

// Heading is the page's.
func (passcodes) Heading() templates.Text { return templates.Text{Key: "demo.passcodes.heading"} }

// parsePages parses the pages. A fallback text is marked as what it is in the
// same way as on the pages of a login.
func parsePages() (map[string]*template.Template, error) {
	base, err := template.New("page").Funcs(template.FuncMap{
		"asset": static.Asset,
		"t": func(l locales.Printer, key string, args ...any) template.HTML {
			return templates.TextHTML(l, templates.Text{Key: key, Args: args})
		},
		"say":  templates.TextHTML,
		"when": templates.TimeHTML,
	}).ParseFS(pageFiles, "pages/layout.html")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	pages := make(map[string]*template.Template)
	for _, name := range names {
		p, err := template.Must(base.Clone()).ParseFS(pageFiles, name)
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		pages[path.Base(name)] = p
	}
	return pages, nil
}

// contentPolicy is what the demo's own pages may do: as little as those of a login,
// and show a mail in a frame. All they lead to is on the same origin, so that
// form-action needs to name nobody else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; form-action 'self'"

// render writes a page whole or not at all.
func (d *Demo) render(w http.ResponseWriter, r *http.Request, status int, b body) error {
	p := page{L: d.kit.Printer(r, "", "", ""), Organisation: organisation, Body: b}
	if _, ok := b.(start); ok {
		p.Languages = d.kit.Catalog.Languages()
	}
	var html bytes.Buffer
	if err := d.pages[b.template()].ExecuteTemplate(&html, "layout", p); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = html.WriteTo(w) // who has left needs no answer
	return nil
}

// Paths of the demo's own pages.
const (
	mailPath      = "/demo/mail"
	passcodesPath = "/demo/passcodes"
	languagePath  = "/demo/language"
	stylePath     = "/demo/demo.css"
)

// Routes mounts all that a demo has beside Latchkey itself.
func (d *Demo) Routes(handle func(pattern string, h http.Handler)) {
	handle("GET /{$}", d.handle(d.showStart))
	handle("GET "+mailPath, d.handle(d.showMails))
	handle("GET "+mailPath+"/{mail}", d.handle(d.showMail))
	handle("GET "+mailPath+"/{mail}/html", d.handle(d.showHTML))
	handle("GET "+passcodesPath, d.handle(d.showPasscodes))
	handle("POST "+languagePath, d.kit.SameOrigin(d.handle(d.pickLanguage)))
	handle("GET "+stylePath, d.handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(styleSheet) // who has left needs no answer
		return nil
	}))
	d.payroll.routes(handle)
	d.wiki.routes(handle)
}

// handle adapts a handler and keeps it to the demo's own name. Whoever typed
// 127.0.0.1 is sent on, and would lose all cookies otherwise; a page on the web
// that made its own name lead here learns nothing.
func (d *Demo) handle(h web.Handler) http.Handler {
	next := d.kit.Handle(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == d.kit.Base.Host:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, d.kit.Base.String()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		default:
			http.Error(w, http.StatusText(http.StatusMisdirectedRequest), http.StatusMisdirectedRequest)
		}
	})
}

func (d *Demo) showStart(w http.ResponseWriter, r *http.Request) error {
	users, err := d.users(r.Context())
	if err != nil {
		return err
	}
	body := start{Applications: []offered{{payrollName, samlProtocol, payrollPath}, {wikiName, oidcProtocol, wikiPath}},
		Users: users, First: newcomer(users), Mailbox: mailPath, Passcodes: passcodesPath, Authenticator: "/authenticator/", Me: "/t/" + slug + "/me"}
	for _, u := range users {
		if !u.Target {
			body.Outsider = u.Name
		}
	}
	return d.render(w, r, http.StatusOK, body)
}

func (d *Demo) showMails(w http.ResponseWriter, r *http.Request) error {
	mails := d.mailbox.Mails()
	if r.FormValue("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(append([]Mail{}, mails...))
	}
	newest := make([]Mail, 0, len(mails))
	for i := len(mails) - 1; i >= 0; i-- {
		newest = append(newest, mails[i])
	}
	return d.render(w, r, http.StatusOK, mailList{newest})
}

func (d *Demo) showMail(w http.ResponseWriter, r *http.Request) error {
	m, err := d.asked(r)
	if err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, letter{m})
}

// showHTML shows a mail's HTML as a mail program does: it may have styles of
// its own, and nothing else. In the sandbox it belongs to no origin.
func (d *Demo) showHTML(w http.ResponseWriter, r *http.Request) error {
	m, err := d.asked(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Del("X-Frame-Options") // says the same as frame-ancestors, less well
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(m.HTML)) // who has left needs no answer
	return nil
}

// asked returns the mail that a request's address names.
func (d *Demo) asked(r *http.Request) (Mail, error) {
	m, ok := d.mailbox.Mail(r.PathValue("mail"))
	if !ok {
		return m, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	return m, nil
}

func (d *Demo) showPasscodes(w http.ResponseWriter, r *http.Request) error {
	now := d.kit.DB.Now()
	body := passcodes{Seconds: period - int(now.Unix())%period}
	for _, p := range people {
		if seed := d.state.Seeds[p.name]; seed != nil {
			body.Codes = append(body.Codes, passcode{p.name, otp.TOTP(seed, otp.Params{}, now), otp.EncodeSecret(seed)})
		}
	}
	return d.render(w, r, http.StatusOK, body)
}

// period is how many seconds a passcode is shown.
const period = int(30 * time.Second / time.Second)

func (d *Demo) pickLanguage(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	d.kit.PickLanguage(w, d.kit.Catalog.Negotiate(r.PostFormValue("language"), "", "", "").Lang())
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
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

// A page is what all pages have in common, around the body of one page.
type page struct {
	L            locales.Printer
	Languages    []locales.Language // offered in the footer; empty on other pages
	Organisation string
	Body         body
}

// A body is the content of one page. Each file in the folder pages except the
// layout has one type of body.
type body interface {
	template() string        // name of the file in the folder pages
	Heading() templates.Text // the h1, and part of the title
}

// Title is the title of the window.
func (p page) Title() string {
	h := p.Body.Heading()
	return p.L.T("page.title", "heading", p.L.T(h.Key, h.Args...), "tenant", p.Organisation)
}

// Live are the texts that static/login.js uses, as JSON.
func (p page) Live() (string, error) { return p.L.JSON("live.") }

// A startPage is the first page: what there is and what to try.
type startPage struct {
	Applications  []offeredApplication
	Users         []user
	Suggested     user   // the user of the steps
	NonTarget     string // name of a user who is no target user; may be empty
	Mailbox       string
	Passcodes     string
	Authenticator string
	Me            string
}

// An offeredApplication is a link to an application.
type offeredApplication struct{ Name, Protocol, Path string }

// Names of the protocols.
const (
	samlProtocol = "SAML 2.0"
	oidcProtocol = "OpenID Connect"
)

func (startPage) template() string { return "start.html" }

// Heading is the page's.
func (startPage) Heading() templates.Text { return templates.Text{Key: "demo.start.heading"} }

// An applicationPage is the page of an application to which somebody is signed in.
type applicationPage struct {
	Application string
	Protocol    string
	Path        string
	User        string
	Attributes  []attribute
}

func (applicationPage) template() string { return "application.html" }

// Heading is the page's.
func (a applicationPage) Heading() templates.Text {
	return templates.Text{Key: "demo.application.heading", Args: []any{"application", a.Application}}
}

// An attribute is what an application was told about the user, by its name in the
// protocol.
type attribute struct{ Name, Value string }

// A refusalPage is the page of an application after a failed sign-in.
type refusalPage struct {
	Application string
	Path        string
	Reason      string // the error code of the protocol; empty if the response could not be used
}

func (refusalPage) template() string { return "refused.html" }

// Heading is the page's.
func (refusalPage) Heading() templates.Text { return templates.Text{Key: "demo.refused.heading"} }

// A signedOutPage is the page after signing out of an application.
type signedOutPage struct {
	Application      string
	Path             string
	SessionContinues bool // the session at Latchkey continues
}

func (signedOutPage) template() string { return "signedout.html" }

// Heading is the page's.
func (signedOutPage) Heading() templates.Text { return templates.Text{Key: "demo.signedout.heading"} }

// signedOut shows that the person is signed out of an application, and whether Latchkey
// still has a session of theirs: signing out of the other application may have ended it.
func (d *Demo) signedOut(w http.ResponseWriter, r *http.Request, application, path string) error {
	_, err := d.site.Session(r, d.tenant)
	if err != nil && !errors.Is(err, identity.Unauthenticated) {
		return err
	}
	return d.render(w, r, http.StatusOK, signedOutPage{Application: application, Path: path, SessionContinues: err == nil})
}

// A mailListPage lists the mails.
type mailListPage struct{ Mails []Mail }

func (mailListPage) template() string { return "mails.html" }

// Heading is the page's.
func (mailListPage) Heading() templates.Text { return templates.Text{Key: "demo.mail.heading"} }

// A mailPage shows one mail.
type mailPage struct{ Mail }

func (mailPage) template() string { return "mail.html" }

// Heading is the page's.
func (l mailPage) Heading() templates.Text {
	if l.Subject == "" {
		return templates.Text{Key: "demo.mail.nosubject"}
	}
	return templates.Text{Key: "demo.mail.subject", Args: []any{"subject", l.Subject}}
}

// A passcodesPage shows the passcodes of the authenticators that the demo
// added.
type passcodesPage struct {
	Seconds int // for which they are still valid
	Codes   []passcode
}

type passcode struct{ User, Code, Seed string }

func (passcodesPage) template() string { return "passcodes.html" }

// Heading is the page's.
func (passcodesPage) Heading() templates.Text { return templates.Text{Key: "demo.passcodes.heading"} }

// parsePages parses the pages. A text in another language is marked in the same
// way as on the sign-in pages.
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

// contentPolicy is the policy of the demo's own pages: that of the sign-in
// pages, but a mail may be shown in a frame. Their forms lead only to the same
// origin.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; form-action 'self'"

// render writes a page completely or not at all.
func (d *Demo) render(w http.ResponseWriter, r *http.Request, status int, b body) error {
	p := page{L: d.site.Printer(r, "", "", ""), Organisation: organisation, Body: b}
	if _, ok := b.(startPage); ok {
		p.Languages = d.site.Catalog.Languages()
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

// Routes mounts what a demo has beside Latchkey itself.
func (d *Demo) Routes(handle func(pattern string, h http.Handler)) {
	handle("GET /{$}", d.handle(d.showStart))
	handle("GET "+mailPath, d.handle(d.showMails))
	handle("GET "+mailPath+"/{mail}", d.handle(d.showMail))
	handle("GET "+mailPath+"/{mail}/html", d.handle(d.showHTML))
	handle("GET "+passcodesPath, d.handle(d.showPasscodes))
	handle("POST "+languagePath, d.site.SameOrigin(d.handle(d.pickLanguage)))
	handle("GET "+stylePath, d.handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(styleSheet) // who has left needs no answer
		return nil
	}))
	d.payroll.routes(handle)
	d.wiki.routes(handle)
}

// handle adapts a handler and answers only to the demo's own host name. A
// request for 127.0.0.1 is redirected, because cookies are bound to the name; a
// page on the web whose name resolves to this machine gets nothing.
func (d *Demo) handle(h web.Handler) http.Handler {
	next := d.site.Handle(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == d.site.Base.Host:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, d.site.Base.String()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
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
	body := startPage{Applications: []offeredApplication{{payrollName, samlProtocol, payrollPath}, {wikiName, oidcProtocol, wikiPath}},
		Users: users, Suggested: suggestedUser(users), Mailbox: mailPath, Passcodes: passcodesPath, Authenticator: "/authenticator/", Me: "/t/" + slug + "/me"}
	for _, u := range users {
		if !u.Target {
			body.NonTarget = u.Name
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
	return d.render(w, r, http.StatusOK, mailListPage{newest})
}

func (d *Demo) showMail(w http.ResponseWriter, r *http.Request) error {
	m, err := d.requestedMail(r)
	if err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, mailPage{m})
}

// showHTML shows a mail's HTML as a mail program does: it may have its own
// styles, and nothing else. In the sandbox it has no origin.
func (d *Demo) showHTML(w http.ResponseWriter, r *http.Request) error {
	m, err := d.requestedMail(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Del("X-Frame-Options") // frame-ancestors is more precise
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(m.HTML)) // who has left needs no answer
	return nil
}

// requestedMail returns the mail that is named by a request's address.
func (d *Demo) requestedMail(r *http.Request) (Mail, error) {
	m, ok := d.mailbox.Mail(r.PathValue("mail"))
	if !ok {
		return m, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	return m, nil
}

func (d *Demo) showPasscodes(w http.ResponseWriter, r *http.Request) error {
	now := d.site.DB.Now()
	body := passcodesPage{Seconds: period - int(now.Unix())%period}
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
	if err := d.site.PickLanguage(w, r, d.site.Catalog.Negotiate(r.PostFormValue("language"), "", "", "").Lang()); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

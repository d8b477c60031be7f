package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

//go:embed *.html pages/*.html mails/*.html
var files embed.FS

// A Brand is how a tenant presents itself.
type Brand struct {
	Name string // the organisation's name
	Help string // whom to ask for help: a mail address, a phone number or a web address
}

// A Page is what all pages have in common, around the Body of one page.
type Page struct {
	L           locales.Printer
	Tenant      Brand
	Problem     string             // locale key of what went wrong; may be empty
	ProblemArgs []any              // its arguments
	ErrorID     string             // identifier of the problem in the log, shown so that people can quote it
	Notice      string             // locale key of a success to report first; may be empty
	Languages   []locales.Language // offered in the footer; empty for a page that cannot be shown again
	Action      string             // where the form goes; empty means the page's own address
	State       string             // identifies what the page shows, so that a form from another state is recognised
	Remember    *Remember          // the check box beside a second factor; nil where there is none
	FirstPIN    *FirstPIN          // the initial PIN of a new authenticator, until it was used; else nil
	Stream      string             // address of the event stream that says when to go on; empty on pages that do not wait
	Session     string             // name of the person who signed in with this browser meanwhile, with whom the page can go on; empty elsewhere
	Nav         []NavItem          // navigation of the self-service pages; empty elsewhere
	Body        Body               // the content of this page, such as an Identify

	typed bool // its template has a field that the focus is in
}

// Typed reports whether the page asks for something to be typed: the focus is there,
// also after an error, and not on the error.
func (p Page) Typed() bool { return p.typed }

// A Body is the content of one page: a struct with the fields that its template
// shows. Each file in the folder pages has one type of body, and each type has
// one file. To add a page, add the two, and samples of it to samples_test.go.
type Body interface {
	template() string // name of the file in the folder pages
	heading() Text    // the one h1, and part of the title
}

// A Text is a locale key and its arguments.
type Text struct {
	Key  string
	Args []any
}

// Heading is the one h1 of the page.
func (p Page) Heading() Text { return p.Body.heading() }

// Title is "Heading – Tenant", preceded by a word if there is a problem: it is
// what a screen reader reads first.
func (p Page) Title() string {
	h := p.Heading()
	title := p.L.T("page.title", "heading", p.L.T(h.Key, h.Args...), "tenant", p.Tenant.Name)
	if p.Problem != "" {
		return p.L.T("page.title.problem", "title", title)
	}
	return title
}

// ProblemText is the text of the problem's key or, if there is no such text,
// that of an internal error. It is never a raw key.
func (p Page) ProblemText() Text {
	if p.L.Has(p.Problem) {
		return Text{p.Problem, p.ProblemArgs}
	}
	return Text{Key: "error.internal"}
}

// Live are the texts that static/login.js uses, as JSON.
func (p Page) Live() (string, error) { return p.L.JSON("live.") }

// wizardSteps is how many steps self-provisioning has.
const wizardSteps = 4

// Progress is the current step of self-provisioning, or 0 outside it.
func (p Page) Progress() int {
	switch b := p.Body.(type) {
	case EnrollEnd:
		if b.Ready() {
			return wizardSteps
		}
	case EnrollBegin, EnrollOffer, EnrollCode, EnrollNoMail:
		return 1
	case EnrollPlatform:
		return 2
	case EnrollScan, EnrollThirdParty, EnrollPrivacyIDEA:
		return 3
	}
	if p.Notice == "notice.enrolled" || p.Notice == "notice.enrolled.next" {
		return wizardSteps
	}
	return 0
}

// A Set holds the parsed pages and mails. It is safe for concurrent use.
type Set struct {
	pages map[string]*template.Template // by the name of the file
	typed map[string]bool               // those with a field that the focus is in
	mail  *template.Template
}

// New parses every page and mail. asset turns the name of a file for the
// browser into its address (static.Asset).
func New(asset func(name string) string) (*Set, error) {
	base := template.New("page").Funcs(template.FuncMap{
		"asset": asset,
		"t":     func(l locales.Printer, key string, args ...any) template.HTML { return TextHTML(l, Text{key, args}) },
		"say":   TextHTML,
		"when":  TimeHTML,
		"day":   DayHTML,
		"steps": func() int { return wizardSteps },
	})
	base, err := base.ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	s := &Set{pages: make(map[string]*template.Template, len(names)), typed: make(map[string]bool)}
	for _, name := range names {
		page, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		s.pages[path.Base(name)] = page
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		s.typed[path.Base(name)] = bytes.Contains(source, []byte(`{{template "described`))
	}
	if s.mail, err = template.Must(base.Clone()).ParseFS(files, "mails/*.html"); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return s, nil
}

// Render writes a page. On an error, part of it may have been written already:
// callers write to a buffer.
func (s *Set) Render(w io.Writer, p Page) error {
	if p.Body == nil {
		return errors.New("templates: a page without a body")
	}
	p.typed = s.typed[p.Body.template()]
	if err := s.pages[p.Body.template()].ExecuteTemplate(w, "layout", p); err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	return nil
}

// TextHTML renders a text as HTML: everything escaped, values in <bdi>, and the
// whole in a <span lang> if it is not in the page's language (WCAG 3.1.2).
func TextHTML(l locales.Printer, text Text) template.HTML {
	var b strings.Builder
	foreign := l.Fallback(text.Key)
	if foreign {
		fmt.Fprintf(&b, `<span lang="%s" dir="ltr">`, html.EscapeString(l.TextLang(text.Key)))
	}
	for _, part := range l.Parts(text.Key, text.Args...) {
		if part.Arg {
			b.WriteString("<bdi>" + html.EscapeString(part.Text) + "</bdi>")
		} else {
			b.WriteString(html.EscapeString(part.Text))
		}
	}
	if foreign {
		b.WriteString("</span>")
	}
	return template.HTML(b.String()) // made here, of escaped parts alone
}

// DayHTML is TimeHTML for a day without the time: scripts replace it by words
// such as "yesterday".
func DayHTML(l locales.Printer, at time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-day>%s</time>`, // as in Say
		at.UTC().Format(time.RFC3339), html.EscapeString(l.When(at))))
}

// TimeHTML renders a <time>, which scripts convert to the reader's own time
// zone.
func TimeHTML(l locales.Printer, at time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, // as in Say
		at.UTC().Format(time.RFC3339), html.EscapeString(l.When(at))))
}

package templates

import (
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
	Help string // whom people turn to who cannot go on: a mail address, a phone number, an address of the web
}

// A Page is what every page is told, around the Body that is its own.
type Page struct {
	L           locales.Printer
	Tenant      Brand
	Problem     string             // locale key of what went wrong; empty when nothing did
	ProblemArgs []any              // its arguments
	ErrorID     string             // by which the log knows the problem; shown so that people can quote it
	Notice      string             // locale key of good news to say first; empty when there is none
	Languages   []locales.Language // offered at the foot; empty for a page that cannot be shown again
	Action      string             // where the form goes; empty means the page's own address
	State       string             // what the page shows, for telling whether a form was decided on it
	Remember    *Remember          // the box beside a second factor; nil of a page that asks for none, or may not
	FirstPIN    *FirstPIN          // to be typed with the first passcode of a new authenticator; nil where there is none
	Stream      string             // address of the event stream that says when to go on; empty for pages that wait for nothing
	Nav         []NavItem          // the way through the self-service pages; empty everywhere else
	Body        Body               // what is the page's own, such as Identify
}

// A Body is what one page has for its own: a struct with the fields that its
// template shows. Each file in the folder pages has one type of body, and each
// type has one file. To add a page, add the two, and samples of it to
// samples_test.go.
type Body interface {
	template() string // name of the file in the folder pages
	heading() Text    // the one h1, and part of the title
}

// A Text is a sentence still to be said: a locale key and its arguments.
type Text struct {
	Key  string
	Args []any
}

// Heading is the one h1 of the page.
func (p Page) Heading() Text { return p.Body.heading() }

// Title is "Heading – Tenant", and says first if something is wrong: it is what
// a screen reader says first.
func (p Page) Title() string {
	h := p.Heading()
	title := p.L.T("page.title", "heading", p.L.T(h.Key, h.Args...), "tenant", p.Tenant.Name)
	if p.Problem != "" {
		return p.L.T("page.title.problem", "title", title)
	}
	return title
}

// ProblemText is what to say about the problem: the text of its key or, if the
// key is nobody's, that something went wrong on our side. Never a raw key.
func (p Page) ProblemText() Text {
	if p.L.Has(p.Problem) {
		return Text{p.Problem, p.ProblemArgs}
	}
	return Text{Key: "error.internal"}
}

// Live is what static/login.js says by itself, as JSON.
func (p Page) Live() (string, error) { return p.L.JSON("live.") }

// wizard is how many steps self-provisioning has.
const wizard = 4

// Progress tells how far self-provisioning has come, or 0 outside it.
func (p Page) Progress() int {
	switch b := p.Body.(type) {
	case EnrollEnd:
		if b.Ready() {
			return wizard
		}
	case EnrollBegin, EnrollOffer, EnrollCode, EnrollNoMail:
		return 1
	case EnrollPlatform:
		return 2
	case EnrollScan, EnrollThirdParty, EnrollPrivacyIDEA:
		return 3
	}
	if p.Notice == "notice.enrolled" || p.Notice == "notice.enrolled.next" {
		return wizard
	}
	return 0
}

// A Set holds the parsed pages and mails. It is safe for concurrent use.
type Set struct {
	pages map[string]*template.Template // by the name of the file
	mail  *template.Template
}

// New parses every page and mail. asset turns the name of a file for the
// browser into its address (static.Asset).
func New(asset func(name string) string) (*Set, error) {
	base := template.New("page").Funcs(template.FuncMap{
		"asset": asset,
		"t":     func(l locales.Printer, key string, args ...any) template.HTML { return Say(l, Text{key, args}) },
		"say":   Say,
		"when":  When,
		"day":   Day,
		"steps": func() int { return wizard },
	})
	base, err := base.ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	s := &Set{pages: make(map[string]*template.Template, len(names))}
	for _, name := range names {
		page, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		s.pages[path.Base(name)] = page
	}
	if s.mail, err = template.Must(base.Clone()).ParseFS(files, "mails/*.html"); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return s, nil
}

// Render writes a page. On an error part of it may have been written: callers
// buffer.
func (s *Set) Render(w io.Writer, p Page) error {
	if p.Body == nil {
		return errors.New("templates: a page without a body")
	}
	if err := s.pages[p.Body.template()].ExecuteTemplate(w, "layout", p); err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	return nil
}

// Say makes a text fit for HTML: everything escaped, values in <bdi>, and the
// whole in a <span lang> if it is not in the page's language (WCAG 3.1.2).
func Say(l locales.Printer, text Text) template.HTML {
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
	return template.HTML(b.String()) //nolint:gosec // made here, of escaped parts alone
}

// Day is When where the day is enough: scripts say "yesterday".
func Day(l locales.Printer, at time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-day>%s</time>`, //nolint:gosec // as in Say
		at.UTC().Format(time.RFC3339), html.EscapeString(l.When(at))))
}

// When makes a <time> that scripts turn into the reader's own zone.
func When(l locales.Printer, at time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, //nolint:gosec // as in Say
		at.UTC().Format(time.RFC3339), html.EscapeString(l.When(at))))
}

package locales

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
)

// A Printer says things in one language. It is a small value, made by
// [Catalog.Negotiate], and safe for concurrent use.
type Printer struct {
	t *table
}

// Lang is the BCP 47 tag of the language, fit for an HTML lang attribute.
func (p Printer) Lang() string { return p.t.lang }

// Dir is the direction of the language's script, "ltr" or "rtl".
func (p Printer) Dir() string { return p.t.dir }

// Has reports whether there is a text of that key. Keys that travel in data,
// such as an error's, are asked about before they are said.
func (p Printer) Has(key string) bool { return p.t.texts[key] != nil }

// TextLang is the language the text of key is written in: the printer's own,
// or the one it was borrowed from.
func (p Printer) TextLang(key string) string {
	if m := p.t.texts[key]; m != nil {
		return m.lang
	}
	return p.t.lang
}

// Fallback reports whether the text of key is missing in the printer's
// language, so that T says it in another.
func (p Printer) Fallback(key string) bool { return p.TextLang(key) != p.t.lang }

// T says the text of key. Arguments alternate names and values; one named n
// picks the plural form. Values are strings, numbers, or anything fmt prints.
//
// In a right-to-left language a value is wrapped in isolating characters, so
// that a Latin user name does not turn the punctuation around it. A key
// without a text is said as it is; the tests keep that from happening.
func (p Printer) T(key string, args ...any) string {
	var b strings.Builder
	for _, part := range p.Parts(key, args...) {
		if part.Arg && p.t.dir == "rtl" {
			b.WriteString("\u2068" + part.Text + "\u2069") // FSI … PDI
		} else {
			b.WriteString(part.Text)
		}
	}
	return b.String()
}

// A Part of a text is a run of its words, or the value of an argument.
type Part struct {
	Text string
	Arg  bool
}

// Parts says the text of key as T does, in parts, for who wants to set the
// arguments apart from the words around them.
func (p Printer) Parts(key string, args ...any) []Part {
	m := p.t.texts[key]
	if m == nil {
		return []Part{{Text: key}}
	}
	count, counted := counter(args)
	pieces := m.form(count, counted)
	parts := make([]Part, len(pieces))
	for i, piece := range pieces {
		if piece.arg == "" {
			parts[i] = Part{Text: piece.words}
		} else {
			parts[i] = Part{Text: argument(args, piece.arg), Arg: true}
		}
	}
	return parts
}

// counter finds the argument that picks the plural form.
func counter(args []any) (int, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" {
			switch n := args[i+1].(type) {
			case int:
				return n, true
			case int64:
				return int(n), true
			}
		}
	}
	return 0, false
}

// argument prints the value of the argument named name; one not given stays
// visible as {name}.
func argument(args []any, name string) string {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			switch v := args[i+1].(type) {
			case string:
				return v
			case int:
				return strconv.Itoa(v)
			default:
				return fmt.Sprint(v)
			}
		}
	}
	return "{" + name + "}"
}

// JSON is [Printer.Texts] as JSON. It is on every page, so it is made once.
func (p Printer) JSON(prefix string) (string, error) {
	if made, ok := p.t.json.Load(prefix); ok {
		return made.(string), nil
	}
	text, err := json.Marshal(p.Texts(prefix))
	if err != nil {
		return "", fmt.Errorf("locales: texts of %s: %w", prefix, err)
	}
	p.t.json.Store(prefix, string(text))
	return string(text), nil
}

// Texts returns the texts whose keys begin with prefix, each a string or a map
// of plural forms, as in the catalogue's files: for programs in the browser
// that say things themselves.
func (p Printer) Texts(prefix string) map[string]any {
	texts := make(map[string]any)
	for key, m := range p.t.texts {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		forms := make(map[string]string)
		for name, form := range formNames {
			if pieces := m.forms[form]; pieces != nil {
				forms[name] = source(pieces)
			}
		}
		if len(forms) == 1 {
			texts[key] = source(m.forms[plural.Other])
		} else {
			texts[key] = forms
		}
	}
	return texts
}

// source turns pieces back into the text they were split from.
func source(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.arg != "" {
			b.WriteString("{" + p.arg + "}")
		}
		b.WriteString(p.words)
	}
	return b.String()
}

// Date says a day, such as "3 January 2026".
func (p Printer) Date(t time.Time) string {
	t = t.UTC()
	return p.T("date.day", "day", t.Day(), "month", p.T("date.month."+strconv.Itoa(int(t.Month()))), "year", t.Year())
}

// When says a day and a time of day, in UTC and saying so: the server does not
// know where its reader is. On pages, scripts put the reader's own time in its
// place.
func (p Printer) When(t time.Time) string {
	return p.T("date.when", "day", p.Date(t), "time", t.UTC().Format("15:04"))
}

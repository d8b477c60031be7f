package locales

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
)

// A Printer looks up texts in one language. It is a small value, made by
// [Catalog.Negotiate], and safe for concurrent use.
type Printer struct {
	t *table
}

// Lang is the BCP 47 tag of the language, fit for an HTML lang attribute.
func (p Printer) Lang() string { return p.t.lang }

// Dir is the direction of the language's script, "ltr" or "rtl".
func (p Printer) Dir() string { return p.t.dir }

// Has reports whether there is a text of that key. It is asked for keys that
// come from data, such as that of an error.
func (p Printer) Has(key string) bool { return p.t.texts[key] != nil }

// TextLang is the language in which the text of key is written: the printer's
// own, or the one that replaces it.
func (p Printer) TextLang(key string) string {
	if m := p.t.texts[key]; m != nil {
		return m.lang
	}
	return p.t.lang
}

// Fallback reports whether the text of key is missing in the printer's
// language, so that T returns it in another.
func (p Printer) Fallback(key string) bool { return p.TextLang(key) != p.t.lang }

// T is the text of key. Arguments alternate names and values; one named n
// selects the plural form. Values are strings, numbers, or anything fmt prints.
//
// In a right-to-left language a value is put between isolating characters, so
// that a Latin user name does not move the punctuation around it. A key without
// a text is returned as it is; the tests make sure that all keys in the sources
// have one.
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

// Parts is the text of key as T returns it, in parts, for callers that mark the
// arguments.
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

// counter finds the argument that selects the plural form.
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

// argument prints the value of an argument; one that is missing stays visible
// as {name}.
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

// JSON is [Printer.Texts] as JSON. It is on every page, so the result is
// cached.
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
// of plural forms, as in the catalogue's files, for scripts in the browser.
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

// source joins pieces to the text from which they were split.
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

// Date formats a day, such as "3 January 2026".
func (p Printer) Date(t time.Time) string {
	t = t.UTC()
	return p.T("date.day", "day", t.Day(), "month", p.T("date.month."+strconv.Itoa(int(t.Month()))), "year", t.Year())
}

// Month formats a month, such as "January 2026".
func (p Printer) Month(t time.Time) string {
	t = t.UTC()
	return p.T("date.monthyear", "month", p.T("date.month."+strconv.Itoa(int(t.Month()))), "year", t.Year())
}

// When formats a day and time in UTC, with the zone's name, because the server
// does not know the reader's. On pages, scripts replace it by the reader's
// local time.
func (p Printer) When(t time.Time) string {
	return p.T("date.when", "day", p.Date(t), "time", t.UTC().Format("15:04"))
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/locales"
)

// print writes v as JSON if that was asked for, and else a line of text.
func (s *shell) print(v any, format string, args ...any) error {
	if s.flags.JSON {
		return s.encode(v)
	}
	_, err := fmt.Fprintf(s.stdout, format+"\n", args...)
	return err
}

func (s *shell) encode(v any) error {
	enc := json.NewEncoder(s.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// list writes all as a JSON array if that was asked for, and else as a table.
func list[T any](s *shell, all []T, head []string, row func(T) []string) error {
	if s.flags.JSON {
		return s.encode(append([]T{}, all...)) // an empty list is [], not null
	}
	rows := make([][]string, len(all))
	for i, v := range all {
		rows[i] = row(v)
	}
	return table(s.stdout, append([][]string{head}, rows...))
}

// table aligns rows of cells.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if row[i] = printable(cell); row[i] == "" {
				row[i] = "-"
			}
		}
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// printable replaces control and formatting characters, which a terminal would obey.
// Some of what is in the database was typed by people who are not trusted. Joiners stay:
// they are part of names, and change no more than the shape of the letters beside them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if joiner := r == '\u200c' || r == '\u200d'; !joiner && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// formatTime writes a time for people; the zero time is empty.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// printError prints an error on the error stream.
func (s *shell) printError(err error) {
	lines := errorLines(err)
	if s.flags.JSON {
		_ = json.NewEncoder(s.stderr).Encode(struct {
			Error    string   `json:"error"`
			Problems []string `json:"problems,omitempty"`
		}{lines[0], lines[1:]}) // there is nobody else to tell
		return
	}
	for i, line := range lines {
		lead := "latchkey: "
		if i > 0 {
			lead = "  "
		}
		fmt.Fprintln(s.stderr, lead+printable(line))
	}
}

// errorLines writes an error for people: in one line or, if it has several problems, a
// heading and a line for each.
func errorLines(err error) []string {
	if errors.Is(err, context.Canceled) {
		return []string{"interrupted"}
	}
	if problems, ok := errors.AsType[policy.Problems](err); ok {
		lines := []string{"the policy was not changed:"}
		for _, p := range problems {
			lines = append(lines, p.Error())
		}
		return lines
	}
	if would, ok := errors.AsType[warnings](err); ok {
		return would
	}
	if problems, ok := errors.AsType[directory.Problems](err); ok {
		lines := []string{"nothing was imported:"}
		for _, p := range problems {
			lines = append(lines, p.Where()+errorLines(p.Err)[0])
		}
		return lines
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		lines := []string{"the configuration cannot be used:"}
		for _, p := range problems {
			lines = append(lines, p.Error())
		}
		return lines
	}
	// An operator is told the cause; if there is none, what a page would say.
	if e, ok := errors.AsType[*identity.Error](err); ok {
		if e.Err != nil {
			return withHeading("what was given cannot be used:", e.Err.Error())
		}
		if catalog, failed := locales.Load(); failed == nil {
			return []string{catalog.Negotiate("en", "", "", "").T(e.Key)}
		}
	}
	return withHeading("several things went wrong:", err.Error())
}

// withHeading splits a text into lines, with a heading if there is more than one.
func withHeading(heading, text string) []string {
	if lines := strings.Split(text, "\n"); len(lines) > 1 {
		return append([]string{heading}, lines...)
	}
	return []string{text}
}

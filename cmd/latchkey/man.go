package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

type manCommand struct{}

func (manCommand) Help() string { return "Example:\n\n    latchkey man > latchkey.1" }

// Run writes the manual page.
func (manCommand) Run(s *shell) error {
	b := builtFrom()
	page := manual(s.model, b.Version, b.Time)
	if s.flags.JSON {
		return s.encode(struct {
			Page string `json:"page"`
		}{page})
	}
	_, err := s.stdout.Write([]byte(page))
	return err
}

// manual is latchkey(1), made from the commands: what they and their flags are
// called, and what their help says. The date is that of the commit, so that the
// same source always gives the same page.
func manual(model *kong.Application, version string, date time.Time) string {
	var m roff
	day := ""
	if !date.IsZero() {
		day = date.UTC().Format(time.DateOnly)
	}
	m.line(`.TH LATCHKEY 1 "` + day + `" "Latchkey ` + escaped(version) + `" Latchkey`) // a date is not text
	m.macro("SH", "NAME")
	m.text("latchkey - an identity provider with its own authenticators")
	m.macro("SH", "SYNOPSIS")
	m.line(`.B latchkey`)
	m.line(`.I command`)
	m.text("[flags]")
	m.macro("SH", "DESCRIPTION")
	m.text(model.Help)
	m.prose("Operators' commands work on the database the server uses, while it runs.")
	m.macro("SH", "OPTIONS")
	m.text("These can be given to every command.")
	for _, flag := range model.Flags {
		m.flag(flag)
	}
	m.macro("SH", "COMMANDS")
	for _, leaf := range model.Leaves(true) {
		m.command(leaf)
	}
	m.macro("SH", "EXIT STATUS")
	for _, code := range []struct {
		code int
		says string
	}{{exitOK, "Done."}, {exitFailed, "It failed; the error stream says why, and for an unknown name which one is near."},
		{exitUsage, "It was not used as it is meant to be; the error stream says how it is."}} {
		m.macro("TP")
		m.macro("B", fmt.Sprint(code.code))
		m.text(code.says)
	}
	m.macro("SH", "ENVIRONMENT")
	for _, v := range []struct{ name, says string }{
		{"LATCHKEY_DIR", "The server's folder, where --dir does not name it."},
		{"LATCHKEY_TENANT", "The tenant, where --tenant does not name it."},
		{"LATCHKEY_PHONE_DIR", "The folder of the accounts of the phone commands."},
		{"LATCHKEY_…", "Every key of the configuration, in capitals."},
	} {
		m.macro("TP")
		m.macro("B", v.name)
		m.text(v.says)
	}
	m.macro("SH", "FILES")
	for _, f := range []struct{ name, says string }{
		{"latchkey.toml", "The configuration, in the server's folder."},
		{"latchkey.keys", "The root keys. Without them the database cannot be read."},
		{"latchkey.db", "The database, where it is SQLite."},
	} {
		m.macro("TP")
		m.macro("I", f.name)
		m.text(f.says)
	}
	return m.String()
}

// A roff is a page in the language of man(7).
type roff struct{ strings.Builder }

func (m *roff) line(text string) { m.WriteString(text + "\n") }

// macro writes a request with its arguments.
func (m *roff) macro(name string, args ...string) {
	line := "." + name
	for _, arg := range args {
		line += ` "` + strings.ReplaceAll(escaped(arg), `"`, `\(dq`) + `"`
	}
	m.line(line)
}

// text writes a line of text.
func (m *roff) text(text string) {
	text = escaped(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	m.line(text)
}

// prose writes a command's help: paragraphs with blank lines between them, and
// what is indented as it stands.
func (m *roff) prose(text string) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		code, example := strings.CutPrefix(paragraph, "    ")
		if !example {
			m.macro("PP")
			m.text(strings.ReplaceAll(paragraph, "\n", " "))
			continue
		}
		m.macro("RS", "4")
		m.macro("PP")
		m.macro("EX")
		for line := range strings.SplitSeq(code, "\n") {
			m.text(strings.TrimPrefix(line, "    "))
		}
		m.macro("EE")
		m.macro("RE")
	}
}

// command writes what can be said of a command.
func (m *roff) command(node *kong.Node) {
	words := []string{"latchkey", node.Path()}
	for _, flag := range node.Flags {
		if flag.Required {
			words = append(words, flag.Summary())
		}
	}
	for _, arg := range node.Positional {
		words = append(words, arg.Summary())
	}
	m.macro("SS", strings.Join(words, " "))
	m.text(node.Help)
	for _, arg := range node.Positional {
		m.macro("TP")
		m.macro("I", arg.Name)
		m.text(cmp.Or(arg.Help, arg.Name))
	}
	for _, flag := range node.Flags {
		if !flag.Hidden {
			m.flag(flag)
		}
	}
	if node.Detail != "" {
		m.prose(node.Detail)
	}
}

// flag writes what can be said of a flag.
func (m *roff) flag(flag *kong.Flag) {
	name := strings.Join(spellings(flag), ", ")
	if flag.Short != 0 {
		name = fmt.Sprintf("-%c, %s", flag.Short, name)
	}
	if !flag.IsBool() {
		name += "=" + flag.FormatPlaceHolder()
	}
	m.macro("TP")
	m.macro("B", name)
	m.text(flag.Help)
}

// escaped escapes text for roff. A minus is escaped too, so that roff does not make a
// hyphen of it, which would be no flag when it is copied from the page.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

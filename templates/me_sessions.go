package templates

import (
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// MeSessions lists the sessions. Fields: session, of a button that ends that
// one. Buttons: end-others.
type MeSessions struct {
	Name     string
	Sessions []MeSession // the one used last comes first
	Cards    []NavItem   // pages about what lasts longer than a session
}

func (MeSessions) template() string { return "me_sessions.html" }
func (MeSessions) heading() Text    { return Text{Key: "me.nav.sessions"} }

// Others reports whether there are sessions besides the present one.
func (b MeSessions) Others() bool {
	for _, s := range b.Sessions {
		if !s.Here {
			return true
		}
	}
	return false
}

// A MeSession is one of them.
type MeSession struct {
	ID           string
	Browser      string // and system, in words; may be empty
	IP           string // of the last completed factor; may be empty
	Since        time.Time
	LastSeen     time.Time
	Applications []string // names
	Here         bool     // the one that shows the page
}

// MeHistory lists the person's sign-ins.
type MeHistory struct {
	Name  string
	Days  int // for which it goes back
	Rows  []MeSignIn
	Older string // address of the next page; empty on the last

	Password string // address of the page to change it; empty if the person has none
	Sessions string // address of the page to end others
}

func (MeHistory) template() string { return "me_history.html" }
func (MeHistory) heading() Text    { return Text{Key: "me.nav.history"} }

// HistoryNotMe is the Kind of a sign-in that was denied with *it wasn't me*.
const HistoryNotMe = "push.not-me"

// A MeSignIn is one event of the history.
type MeSignIn struct {
	Kind        string // such as login.success, or what became of a push request
	Good        bool   // it succeeded
	Proved      bool   // the right password had been given
	At          time.Time
	Application string   // may be empty
	Methods     []string // factors that were completed
	Browser     string   // may be empty
	IP          string   // may be empty
}

// What describes the event.
func (s MeSignIn) What() Text { return Text{Key: "history." + s.Kind} }

// Tag is the class of the tag that says it.
func (s MeSignIn) Tag() string {
	switch {
	case s.Good:
		return "on"
	case s.Kind == HistoryNotMe:
		return "bad"
	}
	return "warn"
}

// Warns reports whether somebody gave the right password and did not get in.
func (s MeSignIn) Warns() bool { return s.Proved && !s.Good }

// By are the methods as texts.
func (s MeSignIn) By() (by []Text) {
	for _, m := range s.Methods {
		by = append(by, Text{Key: "history.by." + strings.ReplaceAll(m, " ", "-")})
	}
	return by
}

// SessionsEnded tells that the user ended all other sessions.
type SessionsEnded struct {
	Name     string
	Sessions int
	Origin   Origin
}

// Kind implements Mail.
func (SessionsEnded) Kind() string { return "sessions-ended" }

func (m SessionsEnded) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.sessions.subject"},
		Preview:   Text{"mail.sessions.preview", []any{"n", m.Sessions}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.sessions.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.sessions.notyou"},
	}
}

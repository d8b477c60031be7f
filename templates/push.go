package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// RejectedPush tells that a push request was answered with *it wasn't me*
// (PUSH-14).
type RejectedPush struct {
	Name        string
	Application string
	Origin      Origin // of the browser that asked
	Operators   bool   // whether they read it, and not the user
}

// LockedPush tells that push is locked for a user because too many requests
// were sent (PUSH-9).
type LockedPush struct {
	Name      string
	Until     time.Time
	Origin    Origin // of the browser that asked for the last one
	Operators bool   // whether they read it, and not the user
}

// Kind implements Mail.
func (RejectedPush) Kind() string { return "push-rejected" }

func (m RejectedPush) draft(l locales.Printer) mailDraft {
	facts := append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...)
	warning := Text{Key: "mail.rejected.notyou"}
	if m.Operators {
		warning = Text{Key: "mail.rejected.operators.warning"}
	}
	return mailDraft{
		Subject:   Text{Key: "mail.rejected.subject"},
		Preview:   Text{"mail.rejected.preview", []any{"name", m.Name}},
		Greeting:  greeting(m.Name, m.Operators),
		Sentences: []Text{m.sentence()},
		Facts:     facts,
		Warning:   warning,
		Operators: m.Operators,
	}
}

// ForOperators implements Alert.
func (m RejectedPush) ForOperators() Mail {
	m.Operators = true
	return m
}

// sentence is the alert itself. The lockout mail contains it too, if the
// rejection caused the lock, so that nobody gets two mails about one rejection.
func (m RejectedPush) sentence() Text {
	if m.Operators {
		return Text{"mail.rejected.operators", []any{"name", m.Name, "application", m.Application}}
	}
	return Text{"mail.rejected.text", []any{"application", m.Application}}
}

// Kind implements Mail.
func (LockedPush) Kind() string { return "push-locked" }

func (m LockedPush) draft(l locales.Printer) mailDraft {
	if m.Operators {
		return mailDraft{
			Subject:   Text{Key: "mail.pushlocked.subject"},
			Preview:   Text{"mail.pushlocked.preview", []any{"name", m.Name}},
			Greeting:  greeting(m.Name, true),
			Operators: true,
			Sentences: []Text{{"mail.pushlocked.operators", []any{"name", m.Name, "until", l.When(m.Until)}}},
			Facts:     m.Origin.facts(l),
			Warning:   Text{Key: "mail.rejected.operators.warning"},
		}
	}
	return mailDraft{
		Subject:   Text{Key: "mail.pushlocked.subject"},
		Preview:   Text{"mail.pushlocked.preview", []any{"name", m.Name}},
		Greeting:  greeting(m.Name, false),
		Sentences: []Text{{"mail.pushlocked.until", []any{"until", l.When(m.Until)}}, {Key: "mail.pushlocked.others"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.pushlocked.notyou"},
	}
}

// ForOperators implements Alert.
func (m LockedPush) ForOperators() Mail {
	m.Operators = true
	return m
}

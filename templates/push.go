package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// RejectedPush tells that a push was answered with *it wasn't me* (PUSH-14).
type RejectedPush struct {
	Name        string
	Application string
	Origin      Origin // of the browser that asked
	Operators   bool   // whether they read it, and not the user
}

// LockedPush tells that push is locked for a user, since too many requests were
// sent (PUSH-9).
type LockedPush struct {
	Name      string
	Until     time.Time
	Origin    Origin // of the browser that asked for one too many
	Operators bool   // whether they read it, and not the user
}

// Kind implements Mail.
func (RejectedPush) Kind() string { return "push-rejected" }

func (m RejectedPush) letter(l locales.Printer) letter {
	facts := append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...)
	if m.Operators {
		return letter{
			Subject:   Text{Key: "mail.rejected.subject"},
			Preview:   Text{"mail.rejected.preview", []any{"name", m.Name}},
			Greeting:  Text{Key: "mail.greeting.operators"},
			Sentences: []Text{m.sentence()},
			Facts:     facts,
			Warning:   Text{Key: "mail.rejected.operators.warning"},
		}
	}
	return letter{
		Subject:   Text{Key: "mail.rejected.subject"},
		Preview:   Text{"mail.rejected.preview", []any{"name", m.Name}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{m.sentence()},
		Facts:     facts,
		Warning:   Text{Key: "mail.rejected.notyou"},
	}
}

// sentence is the alert itself. It stands in the lockout mail too, when the
// rejection brought the lock about: nobody gets two mails of one refusal.
func (m RejectedPush) sentence() Text {
	if m.Operators {
		return Text{"mail.rejected.operators", []any{"name", m.Name, "application", m.Application}}
	}
	return Text{"mail.rejected.text", []any{"application", m.Application}}
}

// Kind implements Mail.
func (LockedPush) Kind() string { return "push-locked" }

func (m LockedPush) letter(l locales.Printer) letter {
	if m.Operators {
		return letter{
			Subject:   Text{Key: "mail.pushlocked.subject"},
			Preview:   Text{"mail.pushlocked.preview", []any{"name", m.Name}},
			Greeting:  Text{Key: "mail.greeting.operators"},
			Sentences: []Text{{"mail.pushlocked.operators", []any{"name", m.Name, "until", l.When(m.Until)}}},
			Facts:     m.Origin.facts(l),
			Warning:   Text{Key: "mail.rejected.operators.warning"},
		}
	}
	return letter{
		Subject:   Text{Key: "mail.pushlocked.subject"},
		Preview:   Text{"mail.pushlocked.preview", []any{"name", m.Name}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{"mail.pushlocked.until", []any{"until", l.When(m.Until)}}, {Key: "mail.pushlocked.others"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.pushlocked.notyou"},
	}
}

package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// RecoveryCode asks for a recovery code. Fields: code. Buttons: continue, back,
// cancel.
type RecoveryCode struct {
	Application string
	Name        string
}

func (RecoveryCode) template() string { return "recovery_code.html" }
func (RecoveryCode) heading() Text    { return Text{Key: "recovery.heading"} }

// RecoveryCodesMade tells that there is a new set of recovery codes.
type RecoveryCodesMade struct {
	Name   string
	Codes  int // in the set
	Origin Origin
}

// RecoveryCodeUsed tells that a recovery code was used to log in.
type RecoveryCodeUsed struct {
	Name   string
	Left   int // that can still be used
	Origin Origin
}

// TemporaryPasscode tells that an operator made a temporary passcode. It does
// not contain the passcode: whoever reads the mail would have it.
type TemporaryPasscode struct {
	Name   string
	Until  time.Time
	Many   bool // it can be used any number of times until then
	Origin Origin
}

// Kind implements Mail.
func (RecoveryCodesMade) Kind() string { return "recovery-codes-made" }

func (m RecoveryCodesMade) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.recovery.made.subject"},
		Preview:   Text{"mail.recovery.made.preview", []any{"n", m.Codes}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.recovery.made.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.recovery.made.notyou"},
	}
}

// Kind implements Mail.
func (RecoveryCodeUsed) Kind() string { return "recovery-code-used" }

func (m RecoveryCodeUsed) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.recovery.used.subject"},
		Preview:   Text{"mail.recovery.used.preview", []any{"n", m.Left}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.recovery.used.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.recovery.used.notyou"},
	}
}

// Kind implements Mail.
func (TemporaryPasscode) Kind() string { return "temporary-passcode" }

func (m TemporaryPasscode) draft(l locales.Printer) mailDraft {
	how := Text{"mail.temporary.once", []any{"until", l.When(m.Until)}}
	if m.Many {
		how.Key = "mail.temporary.many"
	}
	return mailDraft{
		Subject:   Text{Key: "mail.temporary.subject"},
		Preview:   Text{Key: "mail.temporary.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{how, {Key: "mail.temporary.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.temporary.notyou"},
	}
}

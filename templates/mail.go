package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// Kinds of mail. The outbox keeps a mail as its kind and the JSON of its
// struct, and writes it out only when it is sent.
const (
	MailCode   = "verification-code"   // VerificationCode
	MailAdded  = "authenticator-added" // AuthenticatorAdded
	MailLocked = "user-locked"         // UserLocked

	MailInvitation = "enrolment-invitation" // Invitation
)

// An Origin is where the browser was from which something was done.
type Origin struct {
	IP      string
	Place   string // where that address is; may be empty
	Browser string // what the browser calls itself, for people; may be empty
	At      time.Time
}

// VerificationCode brings the code of self-provisioning (ENR-6).
type VerificationCode struct {
	Name        string // the user name as typed
	Application string
	Code        string
	Minutes     int // it is valid for
	Origin      Origin
}

// AuthenticatorAdded tells that one can now log in with a new authenticator.
type AuthenticatorAdded struct {
	Name   string
	Device string // what the authenticator is called
	Origin Origin
}

// UserLocked tells that too many logins failed (CRED-13).
type UserLocked struct {
	Name   string
	Until  time.Time
	Origin Origin // of the last attempt

	Rejected *RejectedPush `json:",omitempty"` // which brought the lock about, where its reader is alerted of that too
}

// A letter is a mail before it is written as text and as HTML.
type letter struct {
	L         locales.Printer
	Tenant    Brand
	Subject   Text
	Preview   Text // the first line, which lists of mails show beside the subject
	Code      string
	Greeting  Text
	Sentences []Text
	Link      string // the one thing to press; empty in all mails that ask for nothing
	Facts     []fact
	Warning   Text // what to do if it was not the reader who did this
}

type fact struct {
	Label Text
	Value string
}

// A letterer turns its arguments into a letter.
type letterer interface {
	letter(l locales.Printer) letter
}

func (m VerificationCode) letter(l locales.Printer) letter {
	return letter{
		Subject:   Text{Key: "mail.code.subject"},
		Preview:   Text{"mail.code.preview", []any{"code", m.Code}},
		Code:      m.Code,
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.code.text"}, {"mail.code.valid", []any{"n", m.Minutes}}},
		Facts:     append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.code.notyou"},
	}
}

func (m AuthenticatorAdded) letter(l locales.Printer) letter {
	return letter{
		Subject:   Text{Key: "mail.added.subject"},
		Preview:   Text{"mail.added.preview", []any{"device", m.Device}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.added.text"}},
		Facts:     append([]fact{{Text{Key: "mail.added.device"}, m.Device}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.added.notyou"},
	}
}

func (m UserLocked) letter(l locales.Printer) letter {
	sentences := []Text{{"mail.locked.until", []any{"name", m.Name, "until", l.When(m.Until)}}}
	if m.Rejected != nil {
		sentences = append(sentences, m.Rejected.sentence())
	}
	return letter{
		Subject:   Text{Key: "mail.locked.subject"},
		Preview:   Text{"mail.locked.preview", []any{"name", m.Name}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: sentences,
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.locked.notyou"},
	}
}

func (o Origin) facts(l locales.Printer) []fact {
	var facts []fact
	if o.IP != "" {
		from := o.IP
		if o.Place != "" {
			from = o.Place + " · " + o.IP
		}
		facts = append(facts, fact{Text{Key: "mail.from"}, from})
	}
	if o.Browser != "" {
		facts = append(facts, fact{Text{Key: "mail.browser"}, o.Browser})
	}
	return append(facts, fact{Text{Key: "mail.time"}, l.When(o.At)})
}

// A Mail is one ready to be sent.
type Mail struct {
	Subject string
	Text    string
	HTML    string
}

// Mail writes a mail of a kind from the JSON of its struct, in the reader's
// language.
func (s *Set) Mail(kind string, l locales.Printer, tenant Brand, args []byte) (Mail, error) {
	var m letterer
	var err error
	switch kind {
	case MailCode:
		m, err = decode[VerificationCode](args)
	case MailAdded:
		m, err = decode[AuthenticatorAdded](args)
	case MailLocked:
		m, err = decode[UserLocked](args)
	case MailUnlocked:
		m, err = decode[UserUnlocked](args)
	case MailAuthenticatorLocked:
		m, err = decode[AuthenticatorLocked](args)
	case MailAuthenticatorUnlocked:
		m, err = decode[AuthenticatorUnlocked](args)
	case MailPasscodesLocked:
		m, err = decode[PasscodesLocked](args)
	case MailPushRejected:
		m, err = decode[RejectedPush](args)
	case MailPushLocked:
		m, err = decode[LockedPush](args)
	case MailInvitation:
		m, err = decode[Invitation](args)
	case MailDeviceRemembered:
		m, err = decode[DeviceRemembered](args)
	case MailDeviceStolen:
		m, err = decode[DeviceStolen](args)
	case MailDevicesForgotten:
		m, err = decode[DevicesForgotten](args)
	case MailSessionsEnded:
		m, err = decode[SessionsEnded](args)
	case MailPasswordChanged:
		m, err = decode[PasswordChanged](args)
	case MailReset:
		m, err = decode[PasswordReset](args)
	case MailChanged:
		m, err = decode[AuthenticatorChanged](args)
	case MailRecoveryMade:
		m, err = decode[RecoveryCodesMade](args)
	case MailRecoveryUsed:
		m, err = decode[RecoveryCodeUsed](args)
	case MailTemporary:
		m, err = decode[TemporaryPasscode](args)
	default:
		return Mail{}, fmt.Errorf("templates: no mail of kind %q", kind)
	}
	if err != nil {
		return Mail{}, fmt.Errorf("templates: mail of kind %s: %w", kind, err)
	}
	draft := m.letter(l)
	draft.L, draft.Tenant = l, tenant
	var b bytes.Buffer
	if err := s.mail.ExecuteTemplate(&b, "mail", draft); err != nil {
		return Mail{}, fmt.Errorf("templates: %w", err)
	}
	return Mail{Subject: draft.plain(draft.Subject), Text: draft.text(), HTML: b.String()}, nil
}

func decode[T letterer](args []byte) (letterer, error) {
	var m T
	err := json.Unmarshal(args, &m)
	return m, err
}

func (d letter) plain(t Text) string { return d.L.T(t.Key, t.Args...) }

// Footer is the last line, which says who wrote and why there is no link, or
// why there is one.
func (d letter) Footer() Text {
	if d.Link != "" {
		return Text{"mail.footer.link", []any{"tenant", d.Tenant.Name}}
	}
	return Text{"mail.footer", []any{"tenant", d.Tenant.Name}}
}

// text is the letter for readers without HTML. The preview comes first, so
// that a code is seen before the mail is opened.
func (d letter) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", d.plain(d.Preview), d.plain(d.Greeting))
	for _, sentence := range d.Sentences {
		fmt.Fprintf(&b, "%s\n", d.plain(sentence))
	}
	if d.Link != "" {
		fmt.Fprintf(&b, "\n%s\n", d.Link)
	}
	b.WriteString("\n")
	for _, f := range d.Facts {
		fmt.Fprintf(&b, "%s: %s\n", d.plain(f.Label), f.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", d.plain(d.Warning))
	if d.Tenant.Help != "" {
		fmt.Fprintf(&b, "%s\n", d.L.T("page.help.text", "help", d.Tenant.Help))
	}
	fmt.Fprintf(&b, "\n-- \n%s\n", d.plain(d.Footer()))
	return b.String()
}

// Style is the mail's own style sheet: mail programs fetch none.
func (d letter) Style() template.CSS { return mailStyle }

const mailStyle template.CSS = `
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px 12px; background: #f6f5f1; color: #182028; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.card { max-width: 480px; margin: 0 auto; padding: 28px; background: #ffffff; border: 1px solid #d9d7ce; border-radius: 16px; }
.tenant { margin: 0 0 20px; font-weight: 650; color: #0b5f52; }
h1 { margin: 0 0 16px; font-size: 22px; line-height: 1.25; }
.code { margin: 0 0 20px; padding: 16px; border-radius: 12px; background: #e4f1ed; color: #0b5f52; font: 600 34px/1.2 ui-monospace, "Cascadia Mono", monospace; letter-spacing: .2em; text-align: center; }
.go { margin: 20px 0; }
.go a { display: inline-block; padding: 12px 20px; border-radius: 10px; background: #0b5f52; color: #ffffff; font-weight: 600; text-decoration: none; }
table { margin: 20px 0; border-collapse: collapse; font-size: 14px; }
th { text-align: start; padding: 2px 0; font-weight: 400; color: #55616d; vertical-align: top; }
td { padding: 2px 16px; }
.warning { padding: 12px 16px; border-radius: 8px; background: #fdf1de; }
.foot { max-width: 480px; margin: 16px auto 0; font-size: 13px; color: #55616d; }
@media (prefers-color-scheme: dark) {
body { background: #12161a; color: #e9edf0; }
.card { background: #1a2026; border-color: #2d363e; }
.tenant { color: #5fd0b8; }
.code { background: #12302b; color: #5fd0b8; }
.go a { background: #5fd0b8; color: #12161a; }
th, .foot { color: #9daab6; }
.warning { background: #33260f; }
}`

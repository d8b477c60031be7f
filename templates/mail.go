package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// An Origin is the browser from which something was done, and its address.
type Origin struct {
	IP      string
	Place   string // of that address; may be empty
	Browser string // what the browser calls itself, for people; may be empty
	At      time.Time
}

// VerificationCode contains the code of self-provisioning (ENR-6).
type VerificationCode struct {
	Name        string // the user name as typed
	Application string
	Code        string
	Minutes     int // it is valid for
	Origin      Origin
}

// AuthenticatorAdded tells that a new authenticator can be used to log in.
type AuthenticatorAdded struct {
	Name   string
	Device string // what the authenticator is called
	Origin Origin
}

// UserLocked tells that too many logins failed (CRED-13).
type UserLocked struct {
	Name      string
	Until     time.Time
	Origin    Origin // of the last attempt
	Operators bool   // whether they read it, and not the user

	Rejected *RejectedPush `json:",omitempty"` // which caused the lock, where its reader is told of that too
}

// A mailDraft is a mail before it is rendered as text and as HTML.
type mailDraft struct {
	L         locales.Printer
	Tenant    Brand
	Subject   Text
	Preview   Text // the first line, which lists of mails show beside the subject
	Code      string
	Greeting  Text
	Sentences []Text
	Link      string // the only link; empty in mails that ask for no action
	Facts     []fact
	Warning   Text // what to do if the reader did not do this
	Operators bool // they are who reads it, and whom others turn to for help
}

type fact struct {
	Label Text
	Value string
}

// A Mail is what a mail says, before it is rendered for its reader. Each kind
// of mail has one type. The outbox stores a mail as its kind and the JSON of
// its struct, and renders it only when it is sent. To add a kind, add a type,
// its line in mailTypes, and samples of it to samples_test.go.
type Mail interface {
	Kind() string // as it is stored, such as "verification-code"
	draft(l locales.Printer) mailDraft
}

// An Alert is a mail about a user that operators can get too, in words for them.
type Alert interface {
	Mail
	ForOperators() Mail
}

// A mailType reads the mails of one kind.
type mailType struct {
	kind   string
	decode func(args []byte) (Mail, error)
}

func mailOf[T Mail]() mailType {
	var zero T
	return mailType{zero.Kind(), func(args []byte) (Mail, error) {
		var m T
		err := json.Unmarshal(args, &m)
		return m, err
	}}
}

// mailTypes are all types of mail.
var mailTypes = []mailType{
	mailOf[VerificationCode](),
	mailOf[AuthenticatorAdded](),
	mailOf[UserLocked](),
	mailOf[UserUnlocked](),
	mailOf[AuthenticatorLocked](),
	mailOf[AuthenticatorUnlocked](),
	mailOf[PasscodesLocked](),
	mailOf[RejectedPush](),
	mailOf[LockedPush](),
	mailOf[Invitation](),
	mailOf[DeviceRemembered](),
	mailOf[DeviceStolen](),
	mailOf[DevicesForgotten](),
	mailOf[SessionsEnded](),
	mailOf[PasswordChanged](),
	mailOf[PasswordReset](),
	mailOf[AuthenticatorChanged](),
	mailOf[RecoveryCodesMade](),
	mailOf[RecoveryCodeUsed](),
	mailOf[TemporaryPasscode](),
}

// ParseMail reads a mail as the outbox stored it: its kind and the JSON of its
// struct.
func ParseMail(kind string, args []byte) (Mail, error) {
	i := slices.IndexFunc(mailTypes, func(t mailType) bool { return t.kind == kind })
	if i < 0 {
		return nil, fmt.Errorf("templates: no mail of kind %q", kind)
	}
	m, err := mailTypes[i].decode(args)
	if err != nil {
		return nil, fmt.Errorf("templates: mail of kind %s: %w", kind, err)
	}
	return m, nil
}

// Kind implements Mail.
func (VerificationCode) Kind() string { return "verification-code" }

func (m VerificationCode) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.code.subject"},
		Preview:   Text{"mail.code.preview", []any{"code", m.Code}},
		Code:      m.Code,
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.code.text"}, {"mail.code.valid", []any{"n", m.Minutes}}},
		Facts:     append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.code.notyou"},
	}
}

// Kind implements Mail.
func (AuthenticatorAdded) Kind() string { return "authenticator-added" }

func (m AuthenticatorAdded) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.added.subject"},
		Preview:   Text{"mail.added.preview", []any{"device", m.Device}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.added.text"}},
		Facts:     append([]fact{{Text{Key: "mail.added.device"}, m.Device}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.added.notyou"},
	}
}

// Kind implements Mail.
func (UserLocked) Kind() string { return "user-locked" }

func (m UserLocked) draft(l locales.Printer) mailDraft {
	subject, warning := Text{Key: "mail.locked.subject"}, Text{Key: "mail.locked.notyou"}
	sentences := []Text{{"mail.locked.until", []any{"name", m.Name, "until", l.When(m.Until)}}}
	if m.Operators {
		subject, warning = Text{Key: "mail.locked.operators.subject"}, Text{Key: "mail.lock.operators.warning"}
		sentences = append(sentences, Text{Key: "mail.locked.operators.end"})
	}
	if m.Rejected != nil {
		sentences = append(sentences, m.Rejected.sentence())
	}
	return mailDraft{
		Subject:   subject,
		Preview:   Text{"mail.locked.preview", []any{"name", m.Name}},
		Greeting:  greeting(m.Name, m.Operators),
		Sentences: sentences,
		Facts:     m.Origin.facts(l),
		Warning:   warning,
		Operators: m.Operators,
	}
}

// ForOperators implements Alert.
func (m UserLocked) ForOperators() Mail {
	m.Operators = true
	if m.Rejected != nil {
		rejected := *m.Rejected
		rejected.Operators = true
		m.Rejected = &rejected
	}
	return m
}

// greeting greets the user a mail is about, or operators.
func greeting(name string, operators bool) Text {
	if operators {
		return Text{Key: "mail.greeting.operators"}
	}
	return Text{"mail.greeting", []any{"name", name}}
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

// A RenderedMail is ready to be sent.
type RenderedMail struct {
	Subject string
	Text    string
	HTML    string
}

// RenderMail renders a mail in the reader's language.
func (s *Set) RenderMail(m Mail, l locales.Printer, tenant Brand) (RenderedMail, error) {
	draft := m.draft(l)
	draft.L, draft.Tenant = l, tenant
	if draft.Operators {
		draft.Tenant.Help = ""
	}
	var b bytes.Buffer
	if err := s.mail.ExecuteTemplate(&b, "mail", draft); err != nil {
		return RenderedMail{}, fmt.Errorf("templates: %w", err)
	}
	return RenderedMail{Subject: draft.translate(draft.Subject), Text: draft.plainText(), HTML: b.String()}, nil
}

func (d mailDraft) translate(t Text) string { return d.L.T(t.Key, t.Args...) }

// Footer is the last line, which names the sender and says why there is a link
// or none.
func (d mailDraft) Footer() Text {
	if d.Link != "" {
		return Text{"mail.footer.link", []any{"tenant", d.Tenant.Name}}
	}
	return Text{"mail.footer", []any{"tenant", d.Tenant.Name}}
}

// plainText is the mail for readers without HTML. The preview comes first, so
// that a code is seen before the mail is opened.
func (d mailDraft) plainText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", d.translate(d.Preview), d.translate(d.Greeting))
	for _, sentence := range d.Sentences {
		fmt.Fprintf(&b, "%s\n", d.translate(sentence))
	}
	if d.Link != "" {
		fmt.Fprintf(&b, "\n%s\n", d.Link)
	}
	b.WriteString("\n")
	for _, f := range d.Facts {
		fmt.Fprintf(&b, "%s: %s\n", d.translate(f.Label), f.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", d.translate(d.Warning))
	if d.Tenant.Help != "" {
		fmt.Fprintf(&b, "%s\n", d.L.T("page.help.text", "help", d.Tenant.Help))
	}
	fmt.Fprintf(&b, "\n-- \n%s\n", d.translate(d.Footer()))
	return b.String()
}

// Style is the mail's own style sheet: mail programs do not load any.
func (d mailDraft) Style() template.CSS { return mailStyle }

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

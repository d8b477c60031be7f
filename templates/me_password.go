package templates

import "github.com/latchkey-id/latchkey/locales"

// MePassword changes the password. Fields: old, new, again, end-others.
// Buttons: change.
type MePassword struct {
	Name          string
	MinLength     int  // characters of a new one
	CommonAllowed bool // whether common passwords are allowed
	NoPassword    bool // the person has no password and signs in by other means
}

func (MePassword) template() string { return "me_password.html" }
func (MePassword) heading() Text    { return Text{Key: "me.nav.password"} }

// Where the password was changed, other than on the self-service pages.
const (
	PasswordDue       = "due"       // in a login, because it was due
	PasswordForgotten = "forgotten" // in a login, after the old one was forgotten
)

// PasswordChanged tells that the password was changed.
type PasswordChanged struct {
	Name   string
	How    string `json:",omitempty"` // PasswordDue and so on
	Origin Origin
}

// Kind implements Mail.
func (PasswordChanged) Kind() string { return "password-changed" }

func (m PasswordChanged) draft(l locales.Printer) mailDraft {
	what := Text{Key: "mail.password.text"}
	switch m.How {
	case PasswordDue:
		what.Key = "mail.password.text.due"
	case PasswordForgotten:
		what.Key = "mail.password.text.forgotten"
	}
	return mailDraft{
		Subject:   Text{Key: "mail.password.subject"},
		Preview:   Text{Key: "mail.password.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{what},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.password.notyou"},
	}
}

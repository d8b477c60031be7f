package templates

import "github.com/latchkey-id/latchkey/locales"

// MePassword is where one changes one's password: page "me_password". Fields: old,
// new, again, end-others. Buttons: change.
type MePassword struct {
	Name  string
	Least int  // characters of a new one
	Known bool // whether common ones are allowed
	None  bool // the person has none, and signs in by other means
}

func (MePassword) heading() Text { return Text{Key: "me.nav.password"} }

// MailPasswordChanged is the kind of mail that tells of a new password:
// PasswordChanged.
const MailPasswordChanged = "password-changed"

// PasswordChanged tells that the password was changed on the self-service pages.
type PasswordChanged struct {
	Name   string
	Origin Origin
}

func (m PasswordChanged) letter(l locales.Printer) letter {
	return letter{
		Subject:   Text{Key: "mail.password.subject"},
		Preview:   Text{Key: "mail.password.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.password.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.password.notyou"},
	}
}

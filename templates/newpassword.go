package templates

import "github.com/latchkey-id/latchkey/locales"

// ResetCode asks for the code that was mailed to who forgot the password. It is
// the same for every name. Fields: code. Buttons: continue, resend, back,
// cancel.
type ResetCode struct {
	Application string
	Name        string // as typed
	ResendIn    int    // seconds until another may be sent
	Minutes     int    // the code is valid for
	Typed       string // what the field held when another language was picked (ENR-13)
}

func (ResetCode) template() string { return "reset_code.html" }
func (ResetCode) heading() Text    { return Text{Key: "enroll.code.heading"} }

// NewPassword asks for a new password in the middle of a login. Fields: new,
// again. Buttons: continue, back, cancel.
type NewPassword struct {
	Application string
	Name        string
	Forgotten   bool // the old one was; else it is due to be changed
	Least       int  // characters of a new one
	Known       bool // whether common ones are allowed
}

func (NewPassword) template() string { return "new_password.html" }
func (NewPassword) heading() Text    { return Text{Key: "newpassword.heading"} }

// PasswordReset brings the code to set a forgotten password anew.
type PasswordReset VerificationCode

// Kind implements Mail.
func (PasswordReset) Kind() string { return "password-reset" }

func (m PasswordReset) letter(l locales.Printer) letter {
	return letter{
		Subject:   Text{Key: "mail.reset.subject"},
		Preview:   Text{"mail.code.preview", []any{"code", m.Code}},
		Code:      m.Code,
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.reset.text"}, {"mail.code.valid", []any{"n", m.Minutes}}},
		Facts:     append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.reset.notyou"},
	}
}

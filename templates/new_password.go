package templates

import "github.com/latchkey-id/latchkey/locales"

// ResetCode asks for the code that was mailed after a password was forgotten.
// It looks the same for every name, also for unknown ones. Fields: code.
// Buttons: continue, resend, back, cancel.
type ResetCode struct {
	Application string
	Name        string // as typed
	ResendIn    int    // seconds until another may be sent
	Minutes     int    // the code is valid for
	Typed       string // value of the field when another language was picked (ENR-13)
}

func (ResetCode) template() string { return "reset_code.html" }
func (ResetCode) heading() Text    { return Text{Key: "enroll.code.heading"} }

// NewPassword asks for a new password in the middle of a login. Fields: new,
// again. Buttons: continue, back, cancel.
type NewPassword struct {
	Application   string
	Name          string
	Forgotten     bool // the old password was forgotten; else it is due to be changed
	MinLength     int  // characters of a new one
	CommonAllowed bool // whether common passwords are allowed
}

func (NewPassword) template() string { return "new_password.html" }
func (NewPassword) heading() Text    { return Text{Key: "newpassword.heading"} }

// PasswordReset contains the code to reset a forgotten password.
type PasswordReset VerificationCode

// Kind implements Mail.
func (PasswordReset) Kind() string { return "password-reset" }

func (m PasswordReset) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.reset.subject"},
		Preview:   Text{"mail.code.preview", []any{"code", m.Code}},
		Code:      m.Code,
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.reset.text"}, {"mail.code.valid", []any{"n", m.Minutes}}},
		Facts:     append([]fact{{Text{Key: "mail.application"}, m.Application}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.reset.notyou"},
	}
}

package templates

import (
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// A LockedBy is what locked an authenticator.
type LockedBy string

const (
	LockedByPasscodes LockedBy = "passcodes" // wrong ones
	LockedByPINs      LockedBy = "pins"      // wrong ones: nothing unlocks it
	LockedByOperator  LockedBy = "operator"
)

// AuthenticatorLocked tells that authenticators of a user were locked. All that
// were locked at once for the same reason are in one mail.
type AuthenticatorLocked struct {
	Name      string
	Devices   []string // what the authenticators are called
	By        LockedBy
	Until     time.Time // when the lock ends by itself; zero if it does not
	Origin    Origin    // of the last attempt, where there was one
	Operators bool      // whether they read it, and not the user
}

// AuthenticatorUnlocked tells a user that an authenticator is no longer locked.
type AuthenticatorUnlocked struct {
	Name   string
	Device string // what it is called
	Origin Origin
}

// PasscodesLocked tells that a user's passcodes are locked (CRED-12).
type PasscodesLocked struct {
	Name      string
	Until     time.Time
	Origin    Origin // of the last attempt
	Operators bool   // whether they read it, and not the user
}

// UserUnlocked tells a user that a lock of logins is over: an operator ended
// it, or it had expired when the user next signed in.
type UserUnlocked struct {
	Name   string
	Origin Origin
}

// Kind implements Mail.
func (AuthenticatorLocked) Kind() string { return "authenticator-locked" }

func (m AuthenticatorLocked) draft(l locales.Printer) mailDraft {
	key := "mail.lock." + string(m.By)
	sentences := []Text{{Key: key + ".text"}}
	if m.Operators {
		sentences = []Text{{key + ".operators", []any{"name", m.Name}}}
	}
	switch {
	case m.By == LockedByPINs:
		sentences = append(sentences, Text{Key: "mail.lock.anew"})
	case m.Until.IsZero():
		sentences = append(sentences, Text{Key: "mail.lock.lasts"})
	default:
		sentences = append(sentences, Text{"mail.lock.until", []any{"until", l.When(m.Until)}})
	}
	return lockDraft(m.Name, m.Operators, mailDraft{
		Subject:   Text{Key: "mail.lock.subject"},
		Preview:   Text{"mail.lock.preview", []any{"devices", strings.Join(m.Devices, ", ")}},
		Sentences: sentences,
		Facts:     append([]fact{{Text{Key: "mail.lock.device"}, strings.Join(m.Devices, ", ")}}, m.Origin.facts(l)...),
		Warning:   Text{Key: key + ".notyou"},
	})
}

// Kind implements Mail.
func (PasscodesLocked) Kind() string { return "passcodes-locked" }

func (m PasscodesLocked) draft(l locales.Printer) mailDraft {
	subject := Text{Key: "mail.passcodes.subject"}
	if m.Operators {
		subject = Text{Key: "mail.passcodes.operators.subject"}
	}
	return lockDraft(m.Name, m.Operators, mailDraft{
		Subject:   subject,
		Preview:   Text{"mail.passcodes.preview", []any{"name", m.Name}},
		Sentences: []Text{{"mail.passcodes.until", []any{"name", m.Name, "until", l.When(m.Until)}}, {Key: "mail.passcodes.others"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.lock.passcodes.notyou"},
	})
}

// lockDraft addresses a mail to the user, or to operators with a warning of
// their own.
func lockDraft(name string, operators bool, to mailDraft) mailDraft {
	to.Greeting, to.Operators = greeting(name, operators), operators
	if operators {
		to.Warning = Text{Key: "mail.lock.operators.warning"}
	}
	return to
}

// ForOperators implements Alert.
func (m AuthenticatorLocked) ForOperators() Mail {
	m.Operators = true
	return m
}

// ForOperators implements Alert.
func (m PasscodesLocked) ForOperators() Mail {
	m.Operators = true
	return m
}

// Kind implements Mail.
func (AuthenticatorUnlocked) Kind() string { return "authenticator-unlocked" }

func (m AuthenticatorUnlocked) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.unlock.subject"},
		Preview:   Text{"mail.unlock.preview", []any{"device", m.Device}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.unlock.text"}},
		Facts:     append([]fact{{Text{Key: "mail.lock.device"}, m.Device}}, m.Origin.facts(l)...),
		Warning:   Text{Key: "mail.unlock.notyou"},
	}
}

// Kind implements Mail.
func (UserUnlocked) Kind() string { return "user-unlocked" }

func (m UserUnlocked) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.unlocked.subject"},
		Preview:   Text{"mail.unlocked.preview", []any{"name", m.Name}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.unlocked.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.unlocked.notyou"},
	}
}

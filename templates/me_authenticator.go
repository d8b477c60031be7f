package templates

import (
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/locales"
)

// MeAuthenticator is one of the person's authenticators, and what can be done
// with it. Fields: name. Buttons: rename, push-on, push-off, lost.
type MeAuthenticator struct {
	Authenticator

	User      string // the login name
	Switch    bool   // whether push can be turned on or off here
	Try       string // address of a test sign-in with it; empty while it cannot confirm one
	PIN       string // address of the page to change its PIN; empty where the server checks none
	Only      bool   // the person has no other way to confirm a sign-in
	Back      string // address of the list
	TypedName string // as typed, where that was refused; else empty
}

func (MeAuthenticator) template() string { return "me_authenticator.html" }

func (b MeAuthenticator) heading() Text {
	return Text{"me.authenticator.heading", []any{"name", b.Authenticator.Name}}
}

// NameValue is the value of the field for the name.
func (b MeAuthenticator) NameValue() string {
	if b.TypedName != "" {
		return b.TypedName
	}
	return b.Authenticator.Name
}

// PushEnabled reports whether push is on, and not paused.
func (b MeAuthenticator) PushEnabled() bool { return b.Push == identity.PushEnabled }

// PushOn reports whether push is on, be it paused: it can be turned off.
func (b MeAuthenticator) PushOn() bool { return b.PushEnabled() || b.Push == identity.PushLocked }

// TryText says what a test sign-in shows.
func (b MeAuthenticator) TryText() Text {
	what := b.Sort
	if what == SortApp && !b.PushEnabled() {
		what = SortPasscodes
	}
	return Text{Key: "me.authenticator.try." + string(what)}
}

// PushExplanation says what push being on or off means.
func (b MeAuthenticator) PushExplanation() Text {
	switch b.Push {
	case identity.PushEnabled:
		return Text{Key: "me.authenticator.push.on"}
	case identity.PushLocked:
		return Text{Key: "me.authenticator.push.locked"}
	}
	return Text{Key: "me.authenticator.push.off." + string(b.Sort)}
}

// MePIN changes the PIN that is typed together with the passcodes of an authenticator.
// Fields: pin, again. Buttons: change.
type MePIN struct {
	Name                 string // the login name
	Device               string // what the authenticator is called
	Back                 string // address of its page
	MinLength, MaxLength int    // digits
	TrivialAllowed       bool   // whether PINs such as 1234 are allowed
	AfterPasscode        bool   // it is typed after the passcode, and not before
}

func (MePIN) template() string { return "me_pin.html" }
func (MePIN) heading() Text    { return Text{Key: "newpin.heading"} }

// A Change is what was done with an authenticator.
type Change string

// Changes that a mail tells.
const (
	PushTurnedOn  Change = "push-on"
	PushTurnedOff Change = "push-off"
	ReportedLost  Change = "lost"
	PasskeyAdded  Change = "passkey-added"
	PasskeyCopied Change = "passkey-copied" // its counter went back
	PINChanged    Change = "pin-changed"

	UnusedSoon     Change = "unused-soon"     // will become inactive in a week, unless it is used
	BecameInactive Change = "became-inactive" // it was not used for too long
)

// AuthenticatorChanged tells of a change of an authenticator, or of a problem
// with it.
type AuthenticatorChanged struct {
	Name   string
	Device string // what the authenticator is called
	What   Change
	// Passkey says that the authenticator is one.
	Passkey bool `json:",omitempty"`
	Origin  Origin
}

// Kind implements Mail.
func (AuthenticatorChanged) Kind() string { return "authenticator-changed" }

func (m AuthenticatorChanged) draft(l locales.Printer) mailDraft {
	key, device := "mail.changed."+string(m.What), Text{Key: "mail.changed.device"}
	if m.Passkey {
		device.Key = "mail.changed.passkey"
	}
	return mailDraft{
		Subject:   Text{Key: key + ".subject"},
		Preview:   Text{key + ".preview", []any{"device", m.Device}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: key + ".text"}},
		Facts:     append([]fact{{device, m.Device}}, m.Origin.facts(l)...),
		Warning:   Text{Key: key + ".notyou"},
	}
}

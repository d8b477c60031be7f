package templates

import (
	"github.com/latchkey-id/latchkey/locales"
)

// MeAuthenticator is one of the person's authenticators, and what can be done
// with it. Fields: name. Buttons: rename, push-on, push-off, lost.
type MeAuthenticator struct {
	Authenticator

	User    string // the login name
	Switch  bool   // push can be switched here
	Try     string // address at which a sign-in with it can be tried; empty while it can confirm none
	Only    bool   // the person could confirm a sign-in with nothing else
	Back    string // address of the list
	Renamed string // as typed, where that cannot be its name
}

func (MeAuthenticator) template() string { return "me_authenticator.html" }

func (b MeAuthenticator) heading() Text {
	return Text{"me.authenticator.heading", []any{"name", b.Authenticator.Name}}
}

// Called is what stands in the field for the name.
func (b MeAuthenticator) Called() string {
	if b.Renamed != "" {
		return b.Renamed
	}
	return b.Authenticator.Name
}

// Pushes reports whether push is on.
func (b MeAuthenticator) Pushes() bool { return b.PushText().Key == "authenticator.push.on" }

// A Change is what was done with an authenticator.
type Change string

// Changes that are told by mail.
const (
	PushTurnedOn  Change = "push-on"
	PushTurnedOff Change = "push-off"
	ReportedLost  Change = "lost"
	PasskeyAdded  Change = "passkey-added"
	PasskeyCopied Change = "passkey-copied" // its counter went back

	UnusedSoon     Change = "unused-soon"     // will become inactive in a week, unless it is used
	BecameInactive Change = "became-inactive" // for want of use
)

// AuthenticatorChanged tells that an authenticator was changed, or something with
// it is not right.
type AuthenticatorChanged struct {
	Name   string
	Device string // what the authenticator is called
	What   Change
	Origin Origin
}

// Kind implements Mail.
func (AuthenticatorChanged) Kind() string { return "authenticator-changed" }

func (m AuthenticatorChanged) letter(l locales.Printer) letter {
	key := "mail.changed." + string(m.What)
	return letter{
		Subject:   Text{Key: key + ".subject"},
		Preview:   Text{key + ".preview", []any{"device", m.Device}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: key + ".text"}},
		Facts:     append([]fact{{Text{Key: "mail.changed.device"}, m.Device}}, m.Origin.facts(l)...),
		Warning:   Text{Key: key + ".notyou"},
	}
}

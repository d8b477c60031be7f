package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/identity"
)

// Me is the self-service page: page "me". Buttons: logout.
type Me struct {
	Name           string // the login name
	DisplayName    string // may be empty
	Applications   []Link
	Authenticators []Authenticator
	Devices        string // address of the page of remembered devices
}

func (b Me) heading() Text {
	if b.DisplayName != "" {
		return Text{"me.heading", []any{"name", b.DisplayName}}
	}
	return Text{"me.heading", []any{"name", b.Name}}
}

// A Link leads to an application.
type Link struct {
	Name    string
	Address string // empty when it can only be opened from elsewhere
}

// An Authenticator is one of the person's own.
type Authenticator struct {
	Name       string
	Serial     string
	Platform   identity.Platform
	State      identity.State
	Push       identity.PushState
	EnrolledAt time.Time
	LastUsedAt time.Time // zero when never
}

// StateText names the state.
func (a Authenticator) StateText() Text { return Text{Key: "authenticator.state." + string(a.State)} }

// PushText names the push state.
func (a Authenticator) PushText() Text {
	switch a.Push {
	case identity.PushEnabled:
		return Text{Key: "authenticator.push.on"}
	case identity.PushLocked:
		return Text{Key: "authenticator.push.locked"}
	}
	return Text{Key: "authenticator.push.off"}
}

// PlatformText names the platform, or the kind of thing where there is none.
func (a Authenticator) PlatformText() Text {
	if a.Platform == "" {
		return Text{Key: "authenticator.kind"}
	}
	return Text{Key: "platform." + string(a.Platform)}
}

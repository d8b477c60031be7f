package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A NavItem leads to one of the self-service pages.
type NavItem struct {
	Name    string // of the page; empty for the overview
	Address string
	Here    bool // the page shown is this one or below it
}

// Text names the page.
func (n NavItem) Text() Text { return Text{Key: "me.nav." + n.key()} }

// About says what the page is for.
func (n NavItem) About() Text { return Text{Key: "me.card." + n.key()} }

func (n NavItem) key() string {
	if n.Name == "" {
		return "overview"
	}
	return n.Name
}

// Me is the first of the self-service pages.
type Me struct {
	Name         string // the login name
	DisplayName  string // may be empty
	Applications []Link
	Cards        []NavItem // the other pages
}

func (Me) template() string { return "me.html" }

func (b Me) heading() Text {
	if b.DisplayName != "" {
		return Text{"me.heading", []any{"name", b.DisplayName}}
	}
	return Text{"me.heading", []any{"name", b.Name}}
}

// MeSubjects leads to the pages of one subject.
type MeSubjects struct {
	Name  string
	Page  string // the subject's page
	Cards []NavItem
}

func (MeSubjects) template() string { return "me_subjects.html" }
func (b MeSubjects) heading() Text  { return Text{Key: "me.nav." + b.Page} }

// MeAuthenticators lists the person's authenticators.
type MeAuthenticators struct {
	Name           string
	Authenticators []Authenticator
	Cards          []NavItem // pages to add another
}

func (MeAuthenticators) template() string { return "me_authenticators.html" }
func (MeAuthenticators) heading() Text    { return Text{Key: "me.authenticators"} }

// MeAdd begins the enrolment of a further authenticator. Buttons: add.
type MeAdd struct{ Name string }

func (MeAdd) template() string { return "me_add.html" }
func (MeAdd) heading() Text    { return Text{Key: "me.nav.add"} }

// A Link leads to an application.
type Link struct {
	Name    string
	Address string // empty when sign-in can only begin at the application
}

// An Authenticator is one of the person's authenticators.
type Authenticator struct {
	Address    string // of its own page
	Name       string
	Serial     string
	Platform   identity.Platform
	State      identity.State
	Push       identity.PushState
	EnrolledAt time.Time
	LastUsedAt time.Time // zero when never
	Confirmed  bool      // it has just confirmed a sign-in
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

// PlatformText names the platform, or says "authenticator" where it has none.
func (a Authenticator) PlatformText() Text {
	if a.Platform == "" {
		return Text{Key: "authenticator.kind"}
	}
	return Text{Key: "platform." + string(a.Platform)}
}

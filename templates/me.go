package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A NavItem leads to one of the self-service pages.
type NavItem struct {
	Name    string // of the page; empty for the overview
	Address string
	Here    bool      // the page shown is this one or below it
	State   CardState // on a card: what is true of the page's subject now
}

// A CardState says in a few words how something stands, such as that ten recovery
// codes are left.
type CardState struct {
	Text  Text // its key is empty without one
	Alert bool // it needs attention
}

// Tab is the name of the page in the navigation, of one short word.
func (n NavItem) Tab() Text { return Text{Key: "me.tab." + n.key()} }

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
	Missing      []Missing // what the person should have and has not
}

// A Missing is something that a person should have and has not.
type Missing struct {
	Text    Text
	Address string // where it can be had
	Link    Text   // names that
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

// An Authenticator is one of the person's authenticators. What it has not, such as push,
// is not said of it.
type Authenticator struct {
	Address    string // of its own page
	Name       string
	Serial     string
	Sort       AuthenticatorSort
	Platform   identity.Platform // empty where none is known
	State      identity.State
	HasPush    bool // push can be on or off for it
	Push       identity.PushState
	Synced     bool // of a passkey: it may be copied to the person's other devices
	EnrolledAt time.Time
	LastUsedAt time.Time // zero when never
	Confirmed  bool      // it has just confirmed a sign-in
}

// An AuthenticatorSort is how an authenticator confirms, as its user sees it.
type AuthenticatorSort string

// Sorts of authenticators.
const (
	SortApp       AuthenticatorSort = "app"       // push and passcodes
	SortRequests  AuthenticatorSort = "requests"  // push alone
	SortChallenge AuthenticatorSort = "challenge" // push, and responses to challenges
	SortPasscodes AuthenticatorSort = "passcodes" // passcodes alone: hardware, or another vendor's app
	SortPasskey   AuthenticatorSort = "passkey"
)

// IsPasskey reports whether it is a passkey.
func (a Authenticator) IsPasskey() bool { return a.Sort == SortPasskey }

// OnPhone reports whether it is an app on a phone or a tablet.
func (a Authenticator) OnPhone() bool {
	return a.Platform.Mobile() || a.Platform == identity.PrivacyIDEA
}

// OnComputer reports whether it is an app on a computer.
func (a Authenticator) OnComputer() bool { return a.platformKnown() && !a.OnPhone() }

func (a Authenticator) platformKnown() bool {
	return !a.IsPasskey() && a.Platform != "" && a.Platform != identity.ThirdParty
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

// A Fact is one line of what is said of an authenticator: a text, a time, or a value in
// no language.
type Fact struct {
	Label Text
	Text  Text
	At    time.Time
	Value string
}

// Facts are what is said of an authenticator, whatever the page.
func (a Authenticator) Facts() []Fact {
	var facts []Fact
	switch {
	case a.IsPasskey():
		copies := Text{Key: "me.passkeys.bound"}
		if a.Synced {
			copies.Key = "me.passkeys.synced"
		}
		facts = append(facts, Fact{Label: Text{Key: "me.passkeys.kind"}, Text: copies})
	case a.Platform == identity.PrivacyIDEA:
		facts = append(facts, Fact{Label: Text{Key: "authenticator.app"}, Text: Text{Key: "platform.privacyidea"}})
	case a.platformKnown():
		facts = append(facts, Fact{Label: Text{Key: "authenticator.platform"}, Text: Text{Key: "platform." + string(a.Platform)}})
	}
	if a.HasPush {
		facts = append(facts, Fact{Label: Text{Key: "authenticator.push"}, Text: a.PushText()})
	}
	used := Fact{Label: Text{Key: "authenticator.used"}, At: a.LastUsedAt}
	if a.LastUsedAt.IsZero() {
		used.Text = Text{Key: "authenticator.never"}
	}
	return append(facts, Fact{Label: Text{Key: "authenticator.enrolled"}, At: a.EnrolledAt}, used,
		Fact{Label: Text{Key: "authenticator.serial"}, Value: a.Serial})
}

package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// Invitation contains the link to enrol with (ENR-19). Code is the link's
// secret, to be typed where the link did not fill it in.
type Invitation struct {
	Name  string
	Link  string
	Code  string
	Until time.Time
}

// Kind implements Mail.
func (Invitation) Kind() string { return "enrolment-invitation" }

func (m Invitation) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.invitation.subject"},
		Preview:   Text{Key: "mail.invitation.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.invitation.text"}, {"mail.invitation.until", []any{"until", l.When(m.Until)}}},
		Link:      m.Link,
		Facts:     []fact{{Text{Key: "mail.invitation.code"}, m.Code}},
		Warning:   Text{Key: "mail.invitation.private"},
	}
}

// EnrollBegin is the page that the link of an enrolment mail opens. Scripts
// take the link's secret out of the address and put it into the field "secret";
// without them the person pastes it. Buttons: begin.
type EnrollBegin struct {
	Secret string // value of the field when another language was picked (ENR-13)
}

func (EnrollBegin) template() string { return "enroll_begin.html" }
func (EnrollBegin) heading() Text    { return Text{Key: "enroll.begin.heading"} }

// How an enrolment by mail ended, or why it cannot begin.
const (
	InvitedDone      = "done"      // the authenticator is ready
	InvitedUnknown   = "unknown"   // there is no such invitation
	InvitedUsed      = "used"      // it was used before
	InvitedExpired   = "expired"   // it has expired
	InvitedRevoked   = "revoked"   // an operator ended it
	InvitedReplaced  = "replaced"  // a newer mail was sent
	InvitedHas       = "has"       // there is an authenticator already
	InvitedRefused   = "refused"   // the user may not enrol now
	InvitedLocked    = "locked"    // too many wrong passwords
	InvitedCancelled = "cancelled" // the person left
	InvitedLate      = "late"      // it took too long; the link still works

	// Of a further authenticator, added on the self-service pages.
	AddingDone      = "added"
	AddingRefused   = "not-added"     // the person may not, or no longer
	AddingCancelled = "added-stopped" // the person left
	AddingLate      = "added-late"    // it took too long
)

// EnrollEnd says how an enrolment by mail ended, and what can be done next.
type EnrollEnd struct {
	Why   string // InvitedDone and so on
	Name  string
	Home  string    // address of the self-service pages, where the new authenticator can be tried; empty unless it is ready
	Until time.Time // until when the link works, or the lock lasts; zero if not shown
}

func (EnrollEnd) template() string { return "enroll_end.html" }
func (b EnrollEnd) heading() Text  { return Text{Key: "enroll.end." + b.Why + ".heading"} }

// Ready reports whether there is an authenticator now.
func (b EnrollEnd) Ready() bool { return b.Why == InvitedDone || b.Why == AddingDone }

// ButtonText is the text of the button, which leads to Home.
func (b EnrollEnd) ButtonText() Text {
	if b.Why == InvitedDone {
		return Text{Key: "enroll.end.try"}
	}
	return Text{Key: "enroll.end.own"}
}

// Explanation says what happened and what to do.
func (b EnrollEnd) Explanation() Text { return Text{Key: "enroll.end." + b.Why + ".text"} }

package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// Invitation brings the link to enrol by (ENR-19). Code is the link's secret,
// for a page that the link did not fill in.
type Invitation struct {
	Name  string
	Link  string
	Code  string
	Until time.Time
}

// Kind implements Mail.
func (Invitation) Kind() string { return "enrolment-invitation" }

func (m Invitation) letter(l locales.Printer) letter {
	return letter{
		Subject:   Text{Key: "mail.invitation.subject"},
		Preview:   Text{Key: "mail.invitation.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.invitation.text"}, {"mail.invitation.until", []any{"until", l.When(m.Until)}}},
		Link:      m.Link,
		Facts:     []fact{{Text{Key: "mail.invitation.code"}, m.Code}},
		Warning:   Text{Key: "mail.invitation.private"},
	}
}

// EnrollBegin is where the link of an enrolment mail leads. Scripts take the
// link's secret out of the address and put it into the field "secret"; without
// them the person pastes it. Buttons: begin.
type EnrollBegin struct {
	Secret string // brought already, when another language was picked (ENR-13)
}

func (EnrollBegin) template() string { return "enroll_begin.html" }
func (EnrollBegin) heading() Text    { return Text{Key: "enroll.begin.heading"} }

// How an enrolment by mail ends, or why there is none.
const (
	InvitedDone      = "done"      // the authenticator is ready
	InvitedUnknown   = "unknown"   // the link names nothing
	InvitedUsed      = "used"      // it was used before
	InvitedExpired   = "expired"   // it came too late
	InvitedRevoked   = "revoked"   // an operator ended it
	InvitedReplaced  = "replaced"  // a newer mail was sent
	InvitedHas       = "has"       // there is an authenticator already
	InvitedRefused   = "refused"   // the user may not enrol now
	InvitedLocked    = "locked"    // too many wrong passwords
	InvitedCancelled = "cancelled" // the person left
	InvitedLate      = "late"      // the pages are out of date; the link still works

	// Of a further authenticator, added on the self-service pages.
	AddingDone      = "added"
	AddingRefused   = "not-added"     // the person may not, or not any more
	AddingCancelled = "added-stopped" // the person left
	AddingLate      = "added-late"    // it took too long
)

// EnrollEnd says how an enrolment by mail ended, and what can be done next.
type EnrollEnd struct {
	Why   string // InvitedDone and so on
	Name  string
	Home  string    // the person's own pages, where the new authenticator can be tried; empty unless it is ready
	Until time.Time // until when the link works, or the lock lasts; zero when that is of no use
}

func (EnrollEnd) template() string { return "enroll_end.html" }
func (b EnrollEnd) heading() Text  { return Text{Key: "enroll.end." + b.Why + ".heading"} }

// Ready reports whether there is an authenticator now.
func (b EnrollEnd) Ready() bool { return b.Why == InvitedDone || b.Why == AddingDone }

// Way names what the button at the end leads to.
func (b EnrollEnd) Way() Text {
	if b.Why == InvitedDone {
		return Text{Key: "enroll.end.try"}
	}
	return Text{Key: "enroll.end.own"}
}

// Explanation says what happened and what to do.
func (b EnrollEnd) Explanation() Text { return Text{Key: "enroll.end." + b.Why + ".text"} }

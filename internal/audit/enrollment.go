package audit

import (
	"slices"
	"time"
)

// EnrollmentBegins are the events an enrolment can begin with.
var EnrollmentBegins = []Kind{EnrollCodeSent, EnrollNoMail, EnrollInvitationBegun, EnrollFurther, EnrollActivation}

// EnrollmentKinds are the events an enrolment consists of.
var EnrollmentKinds = []Kind{EnrollCodeSent, EnrollNoMail, EnrollCodeWrong, EnrollCodeRight, EnrollPlatform, EnrollActivation, EnrollKey,
	EnrollVoided, EnrollFinished, EnrollInvitationBegun, EnrollInvitationLeft, EnrollInvitationUsed}

// An Outcome is what became of an enrolment.
type Outcome string

const (
	Finished  Outcome = "finished"
	NoMail    Outcome = "no mail"   // there was no address to send a code to
	Voided    Outcome = "voided"    // replaced, cancelled or expired, and not begun again
	Abandoned Outcome = "abandoned" // nothing more will come of it
	UnderWay  Outcome = "under way"
)

// An Enrollment is one try to set up an authenticator, from the first code that
// was mailed, or the mailed link that was followed, to its end (ENR-18).
type Enrollment struct {
	User          string // id
	Journey       string // empty where it began outside one
	Application   string // id
	At            time.Time
	IP            string // from where it was begun; empty once the person is erased
	Platform      string
	Template      string
	Authenticator string // id, of the last one it made
	Stages        []Stage
	Outcome       Outcome
	Reason        string // why it was voided
}

// A Stage is one step of an enrolment.
type Stage struct {
	Kind   Kind      `json:"stage"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// enrollmentLife is the longest that a journey lives (JRN-4): an enrolment of
// which nothing was heard for so long comes to nothing any more.
const enrollmentLife = 90 * time.Minute

// EnrollmentOf tells an enrolment from its events, oldest first, of which there
// is at least one.
func EnrollmentOf(events []Event, now time.Time) Enrollment {
	first, last := events[0], events[len(events)-1]
	n := Enrollment{User: first.User, Journey: first.Journey, Application: first.Application, At: first.At, IP: first.Actor.IP}
	for _, e := range events {
		n.Stages = append(n.Stages, Stage{e.Kind, e.At, e.Reason})
		set(&n.Platform, e.Data["platform"])
		set(&n.Template, e.Data["template"])
		set(&n.Authenticator, e.Authenticator)
		set(&n.User, e.User)
	}
	finished := slices.ContainsFunc(events, func(e Event) bool { return e.Kind == EnrollFinished })
	switch {
	case finished:
		n.Outcome = Finished
	case last.Kind == EnrollVoided:
		n.Outcome, n.Reason = Voided, last.Reason
	case last.Kind == EnrollInvitationLeft:
		n.Outcome, n.Reason = Voided, "left by the person"
	case last.Kind == EnrollNoMail:
		n.Outcome = NoMail
	case now.Sub(last.At) > enrollmentLife:
		n.Outcome = Abandoned
	default:
		n.Outcome = UnderWay
	}
	return n
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

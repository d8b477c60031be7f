package audit

import (
	"slices"
	"time"
)

// EnrollmentStartKinds are the kinds of events that can begin an enrolment.
var EnrollmentStartKinds = []Kind{EnrollCodeSent, EnrollNoMail, EnrollInvitationBegun, EnrollFurther, EnrollActivation}

// EnrollmentKinds are the kinds of events that belong to an enrolment: those that can begin
// one, and those that follow.
var EnrollmentKinds = slices.Concat(EnrollmentStartKinds, []Kind{EnrollCodeWrong, EnrollCodeRight, EnrollPlatform, EnrollKey,
	EnrollVoided, EnrollFinished, EnrollInvitationLeft, EnrollInvitationUsed, EnrollFurtherLeft})

// An Outcome is the result of an enrolment.
type Outcome string

const (
	Finished  Outcome = "finished"
	NoMail    Outcome = "no mail"   // the user had no address to send a code to
	Voided    Outcome = "voided"    // replaced, cancelled or expired, and not begun again
	Abandoned Outcome = "abandoned" // no event for longer than a journey can live
	UnderWay  Outcome = "under way"
)

// An Enrollment is one attempt to set up an authenticator. It begins when a code
// was mailed, a mailed link was opened, or a further one was begun on the self-service
// pages (ENR-18).
type Enrollment struct {
	User          string // id
	Journey       string // empty if it began outside a journey
	Application   string // id
	At            time.Time
	IP            string // where it began; empty after the user was erased
	Platform      string
	Template      string
	Authenticator string // id of the last one it created
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

// enrollmentTimeout is the maximum lifetime of a journey (JRN-4). An enrolment
// without an event for this long can no longer be finished.
const enrollmentTimeout = 90 * time.Minute

// EnrollmentOf builds an enrolment from its events, oldest first. Of no events it is the zero
// value.
func EnrollmentOf(events []Event, now time.Time) Enrollment {
	if len(events) == 0 {
		return Enrollment{}
	}
	first, last := events[0], events[len(events)-1]
	n := Enrollment{User: first.User, Journey: first.Journey, Application: first.Application, At: first.At, IP: first.Actor.IP}
	for _, e := range events {
		n.Stages = append(n.Stages, Stage{e.Kind, e.At, e.Reason})
		setIfPresent(&n.Platform, e.Data["platform"])
		setIfPresent(&n.Template, e.Data["template"])
		setIfPresent(&n.Authenticator, e.Authenticator)
		setIfPresent(&n.User, e.User)
	}
	finished := slices.ContainsFunc(events, func(e Event) bool { return e.Kind == EnrollFinished })
	switch {
	case finished:
		n.Outcome = Finished
	case last.Kind == EnrollVoided:
		n.Outcome, n.Reason = Voided, last.Reason
	case last.Kind == EnrollInvitationLeft, last.Kind == EnrollFurtherLeft:
		n.Outcome, n.Reason = Voided, "left by the person"
	case last.Kind == EnrollNoMail:
		n.Outcome = NoMail
	case now.Sub(last.At) > enrollmentTimeout:
		n.Outcome = Abandoned
	default:
		n.Outcome = UnderWay
	}
	return n
}

// setIfPresent sets a field unless the value is empty.
func setIfPresent(field *string, value string) {
	if value != "" {
		*field = value
	}
}

package journey

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A Step is what a journey stands at. Each has an executor: the browser for
// all of them but the answer to a push, which the phone gives.
type Step string

const (
	Identify         Step = "identify"
	AskPassword      Step = "password"
	Choose           Step = "choose"
	WaitForPush      Step = "push"
	PushOver         Step = "push over"
	PushLocked       Step = "push locked" // and nothing else is to be had (PUSH-9a)
	AppTooOld        Step = "app too old" // to do the presence check, and nothing else is to be had
	AskPasscode      Step = "passcode"
	AskNextPasscode  Step = "next passcode" // after one from the outer window (CRED-10, PUSH-16)
	AskPasskey       Step = "passkey"
	AskChallenge     Step = "challenge"
	AskRecoveryCode  Step = "recovery code"
	AskResetCode     Step = "reset code"   // mailed to who forgot the password
	AskNewPIN        Step = "new pin"      // in the place of one that was handed out
	AskNewPassword   Step = "new password" // in the place of one that was forgotten, or is due
	EnrollOffer      Step = "enrol offer"
	EnrollCode       Step = "enrol code"
	EnrollPlatform   Step = "enrol platform"
	EnrollScan       Step = "enrol scan"
	EnrollThirdParty Step = "enrol third party"
	EnrollNoMail     Step = "enrol no mail"
	Locked           Step = "locked"
	Refused          Step = "refused"
	Done             Step = "done"
	Ended            Step = "ended"
)

// Facts are what is true outside the journey at the moment it is looked at.
type Facts struct {
	Assigned     int               // authenticators that count as having one (ENR-1)
	PushTo       int               // of these, those a push can reach with the check asked for
	TooOld       int               // of these, those it would reach if their apps could do that check (PUSH-22)
	Push         bool              // a push may be chosen in this journey (PUSH-7)
	Codes        bool              // a passcode may be typed (PUSH-1)
	Temporary    bool              // an operator made a passcode for the user that can still be typed
	Others       []identity.Method // besides these, by which the user can confirm now; before a password, by which anybody may
	MayEnroll    bool
	WhyNotEnroll policy.Reason
	PushOpen     bool // the push request the page waits for can still be answered, or waits to be claimed
	Disabled     bool // the user may not log in at all
	LockedUntil  time.Time

	Password    bool // the user has one, and policy lets a forgotten one be set anew
	PasswordDue bool // the one that was given must be changed before the login goes on
	PINDue      bool // and so must the PIN of the authenticator that confirmed it

	PushLockedUntil time.Time // too many requests (PUSH-9); zero when push is not locked
	Resync          bool      // a passcode from the outer window waits for the next

	// Of a journey that leads to an authenticator alone.
	Redeemed  bool // the authenticator that came of it is ready
	Withdrawn bool // the invitation was revoked, replaced, or used elsewhere; or the factor it was begun with is gone
	Platform  bool // at least one platform is allowed, or another vendor's app
}

// asks are the steps at which the methods of [Facts].Others ask for what they need.
var asks = map[identity.Method]Step{
	identity.ByPasskey:      AskPasskey,
	identity.ByChallenge:    AskChallenge,
	identity.ByRecoveryCode: AskRecoveryCode,
}

// Next reports the step a journey stands at.
//
// Nothing here depends on whether the name is anybody's before a password was
// proved: without one, everybody gets the same choices (ENR-4).
func Next(j *identity.Journey, f Facts, now time.Time) Step {
	proved := j.Has(identity.Password)
	enrolls := j.Enroll != identity.NotEnrolling && j.Enroll != identity.EnrollOffered
	missing := j.Missing()
	switch {
	case j.Over(now):
		return Ended
	case j.Invitation != "":
		return invited(j, f, now)
	case j.Adding:
		return adding(j, f, now)
	case j.Name == "" || len(j.Required) == 0:
		// Who is required nothing has not been evaluated, and goes nowhere.
		return Identify
	case j.Reset != identity.NotResetting:
		return resetting(j, f, now)
	case slices.Contains(missing, identity.Password):
		return AskPassword
	case (proved || len(missing) == 0) && now.Before(f.LockedUntil):
		return Locked
	case (j.Refused != "" || f.Disabled) && (proved || len(missing) == 0):
		return Refused
	case len(missing) == 0 && f.PasswordDue:
		return AskNewPassword
	case len(missing) == 0 && f.PINDue:
		return AskNewPIN
	case len(missing) == 0:
		return Done
	case slices.Contains(missing, identity.VerifiedPasskey):
		// It stands for a one-time password too, so nothing else is asked; who has
		// none that could sign is told so.
		if slices.Contains(f.Others, identity.ByPasskey) {
			return AskPasskey
		}
		return Refused
	case !proved && j.Enroll == identity.EnrollCode:
		return EnrollCode // whoever has an authenticator waits for a code like everybody (ENR-4)
	case f.Assigned > 0 || !proved && !enrolls, !enrolls && (f.Temporary && f.Codes || len(f.Others) > 0):
		// Who has no authenticator may have a temporary passcode, or another way.
		return confirm(j, f, proved)
	case enrolls:
		return enrolling(j)
	case f.MayEnroll:
		return EnrollOffer
	}
	return Refused
}

// confirm is the choice of a second factor and what follows from it.
func confirm(j *identity.Journey, f Facts, proved bool) Step {
	pushes := f.Push && f.PushTo > 0
	switch {
	case j.Method == identity.ByPush && f.PushOpen:
		return WaitForPush
	case f.Resync:
		return AskNextPasscode
	case j.Method == identity.ByPush:
		return PushOver
	case j.Method == identity.ByPasscode && f.Codes:
		return AskPasscode
	case slices.Contains(f.Others, j.Method) && asks[j.Method] != "":
		return asks[j.Method]
	case proved && !f.Codes && !pushes && len(f.Others) == 0:
		// Codes are never silently allowed: it fails closed, and the page says
		// when push is back, or that the app needs an update (PUSH-9a).
		switch {
		case f.Push && !f.PushLockedUntil.IsZero():
			return PushLocked
		case f.Push && f.TooOld > 0:
			return AppTooOld
		}
		return Refused
	case !proved || j.Method != "" || pushes || f.Assigned == 0 && f.MayEnroll:
		return Choose
	case f.Codes && !usual(f.Others):
		return AskPasscode // the only way: a page to choose it on would ask nothing
	case !f.Codes && onlyChallenge(f.Others):
		return AskChallenge
	}
	return Choose
}

// usual reports whether one of these is a way for every day. A recovery code is
// not: for its sake nobody is made to choose each time.
func usual(others []identity.Method) bool {
	return slices.ContainsFunc(others, func(m identity.Method) bool { return m != identity.ByRecoveryCode })
}

// onlyChallenge reports whether challenges are the one way of these for every day.
func onlyChallenge(others []identity.Method) bool {
	rest := slices.DeleteFunc(slices.Clone(others), func(m identity.Method) bool { return m == identity.ByChallenge })
	return len(rest) < len(others) && !usual(rest)
}

// enrolling is where self-provisioning stands. No stage behind the mailed code
// is reached without it, whatever the row says.
func enrolling(j *identity.Journey) Step {
	switch {
	case j.Enroll == identity.EnrollNoMail:
		return EnrollNoMail
	case j.Enroll == identity.EnrollCode || j.Code.PassedAt.IsZero():
		return EnrollCode
	case j.Enroll == identity.EnrollPlatform:
		return EnrollPlatform
	case j.Enroll == identity.EnrollThirdParty:
		return EnrollThirdParty
	}
	return EnrollScan
}

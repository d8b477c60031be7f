package journey

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A Step is where a journey stands: what is asked next, or why nothing is.
type Step string

const (
	Identify         Step = "identify"
	AskPassword      Step = "password"
	Choose           Step = "choose"
	WaitForPush      Step = "push"
	PushOver         Step = "push over"
	PushLocked       Step = "push locked" // and no other way is allowed (PUSH-9a)
	AppTooOld        Step = "app too old" // to do the presence check, and no other way is allowed
	AskPasscode      Step = "passcode"
	AskNextPasscode  Step = "next passcode" // after one from the outer window (CRED-10, PUSH-16)
	AskPasskey       Step = "passkey"
	AskChallenge     Step = "challenge"
	AskRecoveryCode  Step = "recovery code"
	AskResetCode     Step = "reset code"   // mailed to whoever forgot the password
	AskNewPIN        Step = "new pin"      // replaces one that an operator handed out
	AskNewPassword   Step = "new password" // replaces one that was forgotten or is due
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

// An Executor is who carries a step out.
type Executor string

const (
	Browser Executor = "BROWSER"
	Phone   Executor = "PHONE"
)

// Executor returns who carries the step out: the phone answers a push and scans
// an activation, the browser does everything else (JRN-2).
func (s Step) Executor() Executor {
	if s == WaitForPush || s == EnrollScan {
		return Phone
	}
	return Browser
}

// A Reason says why a journey goes no further, or how it ended. Pages and audit
// map it to their words; nobody derives it again. Where self-provisioning is
// closed to somebody who has no other way, the reason is the one of
// [policy.SelfProvisioning.MayEnroll].
type Reason string

const (
	ReasonDisabled         Reason = "disabled"
	ReasonPolicy           Reason = "policy"             // the access policy denies it
	ReasonLocked           Reason = "locked"             // too many logins failed (CRED-20)
	ReasonLockedByOperator Reason = "locked by operator" // until one unlocks
	ReasonPushLocked       Reason = "push locked"        // too many requests, and passcodes are refused (PUSH-9a)
	ReasonAppTooOld        Reason = "app too old"        // for the presence check, and passcodes are refused (PUSH-22)
	ReasonNoPasskey        Reason = "no passkey"         // one is required, and the user has none
	ReasonRejected         Reason = "rejected"           // the user answered its push with *it wasn't me* (PUSH-14)
	ReasonNoReset          Reason = "no reset"           // of a forgotten password: there is no second factor beside the mail
	ReasonPushOnly         Reason = "push only"          // policy allows passcodes, but the user's authenticators make none
	ReasonNoWay            Reason = "no way in"          // no allowed method is to be had now

	// How a journey ended that led to an authenticator alone.
	ReasonEnrolled           Reason = "enrolled"
	ReasonHasAuthenticator   Reason = "has an authenticator"
	ReasonInvitationUsed     Reason = "used"     // by another journey
	ReasonInvitationRevoked  Reason = "revoked"  // by an operator
	ReasonInvitationReplaced Reason = "replaced" // by a newer one
	ReasonInvitationExpired  Reason = "expired"
	ReasonCancelled          Reason = "cancelled" // by the person
	ReasonLate               Reason = "late"      // the journey lived as long as it may
	ReasonNotAllowed         Reason = "not allowed"
)

// Facts are what is true outside the journey at the moment it is looked at.
type Facts struct {
	Assigned       int               // authenticators that count as having one (ENR-1)
	PushTo         int               // of these, those that a push sent now would reach; 0 means that none is sent
	TooOld         int               // of these, those it would reach if their apps could do that check (PUSH-22)
	Push           bool              // a push is offered in this journey (PUSH-7); before a proof to everybody alike, whoever it would reach
	Codes          bool              // a passcode may be typed (PUSH-1)
	CodesAllowed   bool              // policy lets this user's passcodes count, whether or not an authenticator makes any
	Temporary      bool              // an operator made a passcode for the user that can still be typed
	OtherMethods   []identity.Method // besides these, by which the user can confirm now; before a password, by which anybody may
	MayEnroll      bool
	WhyNotEnroll   policy.Reason
	PushOpen       bool // the push request the page waits for can still be answered, or waits to be claimed
	Rejected       bool // that request was answered with *it wasn't me*
	Disabled       bool // the user may not log in at all
	LockedUntil    time.Time
	OperatorLocked bool // an operator locked the user, for nobody knows how long

	Password    bool // the user has one, and policy lets a forgotten one be reset
	PasswordDue bool // the one that was given must be changed before the login goes on
	PINDue      bool // and so must the PIN of the authenticator that confirmed it

	PushLockedUntil time.Time // too many requests (PUSH-9); zero when push is not locked
	Resync          bool      // a passcode from the outer window waits for the next

	// Of a journey that leads to an authenticator alone.
	Enrolled   bool   // its authenticator is ready
	Invitation Reason // why the invitation is no longer open; empty while it is, and outside invitations
	FactorGone bool   // the second factor that adding began with was revoked
	Platform   bool   // at least one platform is allowed, or another vendor's app
}

// askingSteps are the steps at which the methods of [Facts].OtherMethods ask for
// what they need.
var askingSteps = map[identity.Method]Step{
	identity.ByPasskey:      AskPasskey,
	identity.ByChallenge:    AskChallenge,
	identity.ByRecoveryCode: AskRecoveryCode,
}

// Next reports the step a journey stands at and, where it goes no further from
// there, the reason.
//
// Nothing here depends on whether the name is anybody's before a password was
// proved: until then everybody gets the same choices (ENR-4).
func Next(j *identity.Journey, f Facts, now time.Time) (Step, Reason) {
	proved := j.Has(identity.Password)
	enrolls := j.Enroll != identity.NotEnrolling && j.Enroll != identity.EnrollOffered
	missing := j.Missing()
	switch {
	case j.Over(now):
		return Ended, endReason(j, f, Ended)
	case j.Invitation != "":
		return invited(j, f, now)
	case j.Adding:
		return adding(j, f, now)
	case f.Rejected:
		// The attempt is over, for whoever makes it: it leads out to the application and
		// nowhere else, and no lock or rule is named to somebody who may be an attacker.
		return Refused, ReasonRejected
	case j.Name == "" || len(j.Required) == 0:
		// A journey that requires nothing has not been evaluated, and goes nowhere.
		return Identify, ""
	case j.Reset != identity.NotResetting:
		return resetting(j, f, now)
	case slices.Contains(missing, identity.Password):
		return AskPassword, ""
	case (proved || len(missing) == 0) && now.Before(f.LockedUntil):
		return Locked, lockReason(f)
	case f.Disabled && (proved || len(missing) == 0):
		return Refused, ReasonDisabled
	case j.Refused != "" && (proved || len(missing) == 0):
		return Refused, Reason(j.Refused)
	case len(missing) == 0 && f.PasswordDue:
		return AskNewPassword, ""
	case len(missing) == 0 && f.PINDue:
		return AskNewPIN, ""
	case len(missing) == 0:
		return Done, ""
	case slices.Contains(missing, identity.VerifiedPasskey):
		// It counts as the second factor too, so nothing else is asked. Whoever has
		// none that could sign is told so.
		if slices.Contains(f.OtherMethods, identity.ByPasskey) {
			return AskPasskey, ""
		}
		return Refused, ReasonNoPasskey
	case !proved && j.Enroll == identity.EnrollCode:
		return EnrollCode, "" // whoever has an authenticator waits for a code like everybody (ENR-4)
	case f.Assigned > 0 || !proved && !enrolls, !enrolls && (f.Temporary && f.Codes || len(f.OtherMethods) > 0):
		// Whoever has no authenticator may have a temporary passcode, or another way.
		return confirm(j, f, proved)
	case enrolls:
		return enrolling(j), ""
	case f.MayEnroll:
		return EnrollOffer, ""
	}
	return Refused, Reason(f.WhyNotEnroll)
}

// confirm is the choice of a second factor and what follows from it.
func confirm(j *identity.Journey, f Facts, proved bool) (Step, Reason) {
	pushes := f.Push && f.PushTo > 0
	switch {
	case j.Method == identity.ByPush && f.PushOpen:
		return WaitForPush, ""
	case f.Resync:
		return AskNextPasscode, ""
	case j.Method == identity.ByPush:
		return PushOver, ""
	case j.Method == identity.ByPasscode && f.Codes:
		return AskPasscode, ""
	case slices.Contains(f.OtherMethods, j.Method) && askingSteps[j.Method] != "":
		return askingSteps[j.Method], ""
	case proved && !f.Codes && !pushes && len(f.OtherMethods) == 0:
		// Codes are never silently allowed: it fails closed, and the page says
		// when push is back, or that the app needs an update (PUSH-9a).
		switch {
		case f.Push && !f.PushLockedUntil.IsZero():
			return PushLocked, ReasonPushLocked
		case f.Push && f.TooOld > 0:
			return AppTooOld, ReasonAppTooOld
		case f.CodesAllowed:
			return Refused, ReasonPushOnly
		}
		return Refused, ReasonNoWay
	case !proved || j.Method != "" || pushes || f.Assigned == 0 && f.MayEnroll:
		return Choose, ""
	case f.Codes && !everyday(f.OtherMethods):
		return AskPasscode, "" // the only way: a page to choose it on would ask nothing
	case !f.Codes && onlyChallenge(f.OtherMethods):
		return AskChallenge, ""
	}
	return Choose, ""
}

// everyday reports whether one of these methods is for every day. A recovery code
// is not: nobody is made to choose each time because of it.
func everyday(methods []identity.Method) bool {
	return slices.ContainsFunc(methods, func(m identity.Method) bool { return m != identity.ByRecoveryCode })
}

// onlyChallenge reports whether challenges are the one method of these for every day.
func onlyChallenge(methods []identity.Method) bool {
	rest := slices.DeleteFunc(slices.Clone(methods), func(m identity.Method) bool { return m == identity.ByChallenge })
	return len(rest) < len(methods) && !everyday(rest)
}

// enrolling is where self-provisioning stands. No stage after the mailed code is
// reached without it, whatever the row says.
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

// resetting is Next where somebody forgot the password. Until the mailed code was
// right every name stands at the same page, whatever is true of it (T-LOG-01).
// Then a second factor is asked for, in the ways that are open to whoever gave a
// password: mail alone resets no password, and whoever has no second factor gets
// none here, or access to the mailbox would give both. An operator's temporary
// passcode is one.
func resetting(j *identity.Journey, f Facts, now time.Time) (Step, Reason) {
	switch {
	case j.Reset == identity.ResetCode || j.Code.PassedAt.IsZero():
		return AskResetCode, ""
	case now.Before(f.LockedUntil):
		return Locked, lockReason(f)
	case f.Disabled:
		return Refused, ReasonDisabled
	case j.Refused != "":
		return Refused, Reason(j.Refused)
	case !f.Password:
		return Refused, ReasonNoReset
	case j.HasSecondFactor():
		return AskNewPassword, ""
	case f.Assigned > 0 || f.Temporary && f.Codes || len(f.OtherMethods) > 0:
		step, reason := confirm(j, f, true)
		if step == Refused && f.Assigned == 0 {
			reason = ReasonNoReset
		}
		return step, reason
	}
	return Refused, ReasonNoReset
}

// invited is Next in a journey that an invitation began. It succeeds where this
// journey used the invitation up; where another one did, or an operator ended
// it, it is refused.
func invited(j *identity.Journey, f Facts, now time.Time) (Step, Reason) {
	closed := f.Invitation != "" && f.Invitation != ReasonInvitationExpired
	switch {
	case f.Enrolled:
		return Done, ReasonEnrolled
	case closed:
		return Refused, f.Invitation
	case slices.Contains(j.Missing(), identity.Password):
		return AskPassword, ""
	case now.Before(f.LockedUntil):
		return Locked, endReason(j, f, Locked)
	case f.Disabled || f.Assigned > 0 || !f.Platform:
		return Refused, endReason(j, f, Refused)
	}
	return enrolling(j), ""
}

// adding is Next in a journey for a further authenticator.
func adding(j *identity.Journey, f Facts, now time.Time) (Step, Reason) {
	switch {
	case f.Enrolled:
		return Done, ReasonEnrolled
	case now.Before(f.LockedUntil):
		return Locked, lockReason(f)
	case f.FactorGone || f.Disabled || !f.Platform:
		return Refused, ReasonNotAllowed
	}
	return enrolling(j), ""
}

func lockReason(f Facts) Reason {
	if f.OperatorLocked {
		return ReasonLockedByOperator
	}
	return ReasonLocked
}

// endReason says how a journey ended, or what keeps one from going on that leads
// to an authenticator alone. An ended login says no more than its outcome.
func endReason(j *identity.Journey, f Facts, step Step) Reason {
	switch {
	case j.Login():
		return ""
	case f.Enrolled:
		return ReasonEnrolled
	case f.Invitation != "" && (step == Ended || f.Invitation != ReasonInvitationExpired):
		return f.Invitation
	case step == Locked && !j.Adding:
		return lockReason(f)
	case f.Disabled && !j.Adding:
		return ReasonNotAllowed
	case f.Assigned > 0 && !j.Adding:
		return ReasonHasAuthenticator
	case j.Outcome == identity.Cancelled:
		return ReasonCancelled
	case step == Ended:
		return ReasonLate
	}
	return ReasonNotAllowed
}

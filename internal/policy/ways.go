package policy

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Documents are the policies that decide together whether and how a user can confirm a
// login. Platforms and SelfProvisioning are as [Credentials.Restrict] leaves them.
type Documents struct {
	Access           Access
	Push             Push
	Platforms        Platforms
	Credentials      Credentials
	SelfProvisioning SelfProvisioning
	Template         Template // the standard one
	Lockout          Lockout
}

// A Holder is what is true of one user that decides about the ways to confirm a login.
type Holder struct {
	Groups         []string // ids
	Authenticators []identity.Authenticator
	RecoveryCodes  bool  // some are unused
	Temporary      bool  // an operator made a passcode that can still be typed
	EverEnrolled   bool  // had an active authenticator at any time
	Permit         bool  // an operator gave an enrolment permit that is not used up
	Failures       int64 // failed logins in a row that have not locked the user
}

// A Login is what matters about a login for the ways to confirm it.
type Login struct {
	PushContext
	Required []identity.Validation
	Least    Presence // a presence check that is announced already, whoever it is for; see [Push.ForAnyUser]
}

// Ways are the ways in which a user can confirm a login. The engine of sign-ins goes by
// them, and so does whatever explains to an operator what it does, or would do.
type Ways struct {
	Push       bool                     // a push may be sent to this user
	Presence   Presence                 // with which check it would be
	PushTo     int                      // number of authenticators that it would reach
	TooOld     []identity.Authenticator // those that it would reach if their apps could do that check
	WhyNotPush Reason                   // why it would reach none; empty where it does

	CodesAllowed bool // passcodes of this user count, whether or not anything makes one
	Codes        bool // and there is something to type
	Challenge    bool // a challenge can be answered
	Passkey      bool
	RecoveryCode bool

	Enrolled     int // authenticators that count as having one (ENR-1)
	MayEnroll    bool
	WhyNotEnroll Reason
}

// Ways says in which ways a user can confirm a login now.
func (d Documents) Ways(h Holder, at Login, now time.Time) Ways {
	settings := d.Push.Effective(h.Groups).PushSettings
	var w Ways
	w.Presence, w.Push = d.Push.Check(settings, at.PushContext)
	w.Presence = Stricter(w.Presence, at.Least)
	w.countPush(d.Platforms, h.Authenticators, now)

	has := func(can func(identity.Authenticator) bool) bool { return slices.ContainsFunc(h.Authenticators, can) }
	w.CodesAllowed = settings.CodesAllowed && Offers(at.Steps, identity.PasscodeStep)
	w.Codes = w.CodesAllowed && (h.Temporary || has(func(a identity.Authenticator) bool { return a.MakesPasscodes() && a.CountsAsEnrolled() }))
	w.Challenge = w.CodesAllowed && has(func(a identity.Authenticator) bool { return a.AnswersChallenges() && a.CountsAsEnrolled() })
	// A passkey follows a password, unless policy lets it stand for one (CRED-19).
	w.Passkey = (d.Credentials.Passkeys == Passwordless || d.Credentials.Passkeys != NoPasskeys && at.Proved) &&
		has(func(a identity.Authenticator) bool { return a.Kind == identity.Passkey && a.State() == identity.Active })
	// A journey definition that names steps and no passcode asks for a phone; a code on
	// paper is none. Where policy refuses passcodes, recovery codes still work: they are
	// for the day on which the phone that the policy wants is gone.
	w.RecoveryCode = d.Credentials.RecoveryCodes && h.RecoveryCodes && Offers(at.Steps, identity.PasscodeStep)

	pending := pendingOf(h.Authenticators)
	w.Enrolled = CountEnrolled(h.Authenticators, pending)
	w.MayEnroll, w.WhyNotEnroll = d.SelfProvisioning.MayEnroll(Candidate{
		Known:           true,
		Groups:          h.Groups,
		SecondFactor:    slices.Contains(at.Required, identity.SecondFactor),
		Authenticators:  h.Authenticators,
		OwnPending:      pending,
		EverEnrolled:    h.EverEnrolled,
		Permit:          h.Permit,
		PlatformAllowed: d.AnyPlatform(h.Groups),
	})
	return w
}

// countPush counts the authenticators that a push would reach, if one may be sent, and
// says which are kept from it by an app too old for the presence check.
func (w *Ways) countPush(platforms Platforms, all []identity.Authenticator, now time.Time) {
	if !w.Push {
		w.WhyNotPush = NoPushAllowed
		return
	}
	w.WhyNotPush = NoPushApp
	for _, a := range all {
		switch {
		case Reaches(a, platforms, w.Presence, now):
			w.PushTo++
		case TooOld(a, platforms, w.Presence, now):
			w.TooOld = append(w.TooOld, a)
		case a.Kind == identity.AppToken && a.State() == identity.Active && a.Push(now) == identity.PushEnabled && !platforms.PushOn(a.Platform):
			w.WhyNotPush = NoPushPlatform
		}
	}
	switch {
	case w.PushTo > 0:
		w.WhyNotPush = ""
	case len(w.TooOld) > 0: // the easiest to mend
		w.WhyNotPush = NoPresenceCheck
	}
}

// OtherMethods are the methods beside push and passcode, in the order in which they are
// offered.
func (w Ways) OtherMethods() (all []identity.Method) {
	for _, m := range []struct {
		method  identity.Method
		offered bool
	}{{identity.ByChallenge, w.Challenge}, {identity.ByPasskey, w.Passkey}, {identity.ByRecoveryCode, w.RecoveryCode}} {
		if m.offered {
			all = append(all, m.method)
		}
	}
	return all
}

// Reasons why a user cannot confirm a login.
const (
	NoAuthenticator Reason = "has no authenticator"
	NoPushAllowed   Reason = "gets no push, and has nothing whose passcodes count"
	NoPushApp       Reason = "has no app with push switched on"
	NoPushPlatform  Reason = "gets no push on the platform of the app"
	NoPresenceCheck Reason = "has no app that can do the presence check"
	NoPasskey       Reason = "has no passkey that may be used"
	AccessDenied    Reason = "is denied by the access policy"
	TooManyFailures Reason = "has failed more logins in a row than that"
)

// Barred returns why a user with these ways cannot confirm a login that requires these
// validations, or "" if there is a way. Whoever has no authenticator has a way where one
// may be enrolled alone and its passcodes count; where passcodes are refused, the user
// is told apart, since not every authenticator that is enrolled would do.
func (w Ways) Barred(required []identity.Validation) Reason {
	switch {
	case slices.Contains(required, identity.VerifiedPasskey):
		if w.Passkey {
			return ""
		}
		return NoPasskey
	case !slices.Contains(required, identity.SecondFactor):
		return ""
	case w.PushTo > 0 || w.Codes || len(w.OtherMethods()) > 0:
		return ""
	case w.Enrolled == 0 && w.CodesAllowed && w.MayEnroll:
		return ""
	case w.Enrolled == 0:
		return NoAuthenticator
	}
	return w.WhyNotPush
}

// AnyPlatform reports whether there is anything on which members of these groups could
// enrol alone.
func (d Documents) AnyPlatform(groups []string) bool {
	return len(d.Platforms.Allowed()) > 0 || d.AllowsThirdParty(groups) || d.AllowsPrivacyIDEA(groups)
}

// AllowsThirdParty reports whether members of these groups may enrol another vendor's
// authenticator app: it makes nothing but passcodes, so they must count (ENR-12).
func (d Documents) AllowsThirdParty(groups []string) bool {
	return d.SelfProvisioning.ThirdParty && d.Push.Effective(groups).CodesAllowed
}

// AllowsPrivacyIDEA reports whether members of these groups may enrol the privacyIDEA
// Authenticator, and it would be of use to them (PUSH-24).
func (d Documents) AllowsPrivacyIDEA(groups []string) bool {
	return d.Platforms.PrivacyIDEA(d.Push.Effective(groups).PushSettings, d.Template)
}

// pendingOf lists the authenticators a user began to set up and may begin again.
func pendingOf(all []identity.Authenticator) []string {
	var ids []string
	for _, a := range all {
		if a.State() == identity.Pending {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

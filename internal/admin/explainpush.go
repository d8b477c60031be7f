package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A PushPreview is what would become of a push to a user at an application now.
type PushPreview struct {
	WhyNot   string       // where none may be sent
	WhyCheck string       // what made the check what it is, beyond the policy; empty where nothing did
	Reaches  []PushTarget // of each authenticator that is not revoked
	First    string       // what is offered first: push, passcode, enrolment, or nothing
}

// A PushTarget is an authenticator, and why a push does not reach it.
type PushTarget struct {
	identity.Authenticator
	Unreachable string // empty where it does
}

// explainWays says how a login could be confirmed, once the password is proved that the
// access policy asks for, and what it would make of push.
func (e *Explanation) explainWays(ctx context.Context, r store.Reader, u identity.User, app identity.Application, rules policy.Documents) error {
	person, err := r.Users().LoginState(ctx, u.Tenant, u.ID, "", push.RejectionsSince(r.Now()))
	if err != nil {
		return err
	}
	all, err := store.Collect(r.Authenticators().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return err
	}
	at := policy.PushContext{Proved: slices.Contains(e.Decision.Require, identity.Password), Rejected: person.Rejected, Steps: e.Decision.Steps,
		CannotShow: app.CannotShowNumber, AllowPlain: app.PushWithoutPresence}
	e.Ways = rules.Ways(policy.Holder{Groups: e.Groups, Authenticators: all, RecoveryCodes: person.RecoveryCodes > 0, Temporary: person.Temporary,
		EverEnrolled: !u.EverEnrolledAt.IsZero(), Permit: !u.EnrollPermitAt.IsZero()},
		policy.Login{Required: e.Decision.Require, PushContext: at}, r.Now())
	if e.Disabled {
		e.Ways.MayEnroll, e.Ways.WhyNotEnroll = false, policy.UserUnknown
	}
	e.PushNow.WhyNot, e.PushNow.WhyCheck = e.whyNoPush(rules.Push, at), e.whyCheck(at)
	for _, a := range all {
		why := e.PushNow.WhyNot
		if e.Ways.Push {
			why = push.UnreachableReason(a, e.Platforms, e.Ways.Presence, r.Now())
		}
		e.PushNow.Reaches = append(e.PushNow.Reaches, PushTarget{a, why})
	}
	e.PushNow.First = e.first(at)
	e.LockedUntil = person.LockedUntil(store.FailureCounter{}, r.Now())
	return nil
}

// first says what a login offers first.
func (e *Explanation) first(at policy.PushContext) string {
	passcodeFirst := at.Proved && len(at.Steps) > 0 && at.Steps[0] == identity.PasscodeStep
	ways := e.Ways
	switch {
	case e.Decision.Deny || !slices.Contains(e.Decision.Require, identity.SecondFactor):
		return "nothing: no one-time password is asked for"
	case slices.Contains(e.Decision.Require, identity.VerifiedPasskey) && !ways.Passkey:
		return "nothing: the user has no passkey that may be used"
	case slices.Contains(e.Decision.Require, identity.VerifiedPasskey):
		return "passkey"
	case ways.PushTo > 0 && !(ways.Codes && passcodeFirst) && ways.Presence == policy.NoPresence:
		return "plain push"
	case ways.PushTo > 0 && !(ways.Codes && passcodeFirst):
		return "push with a presence check"
	case ways.Codes:
		return "passcode"
	case len(ways.OtherMethods()) > 0:
		return string(ways.OtherMethods()[0])
	case ways.MayEnroll:
		return "setting up an authenticator"
	case ways.Enrolled == 0:
		return "nothing: the user has no authenticator, and may set up none"
	}
	return "nothing: no push reaches the user, and no passcode counts"
}

// whyNoPush says what forbids a push, in the order in which it is looked for.
func (e *Explanation) whyNoPush(rules policy.Push, at policy.PushContext) string {
	switch {
	case e.Ways.Push:
		return ""
	case !policy.Offers(at.Steps, identity.PushStep) && !slices.Contains(at.Steps, identity.PushWithPresenceStep):
		return fmt.Sprintf("rule %s names no push", e.Decision.Rule)
	case !e.Push.Enabled:
		return "push is off"
	case !at.Proved && !rules.BeforePassword:
		return "no password is asked for first, and push before one is off"
	}
	return "the application can show no number"
}

// whyCheck says what changed the check that the policy asks for.
func (e *Explanation) whyCheck(at policy.PushContext) string {
	switch {
	case !e.Ways.Push || e.Ways.Presence == e.Push.Presence:
		return ""
	case e.Ways.Presence == policy.NoPresence:
		return "the application can show no number, and a plain push is allowed there"
	case slices.Contains(at.Steps, identity.PushWithPresenceStep):
		return fmt.Sprintf("rule %s wants a presence check", e.Decision.Rule)
	case at.Rejected:
		return "the user said \"it wasn't me\" within a day"
	}
	return "no password is asked for first"
}

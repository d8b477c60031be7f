package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A PushPreview is what would become of a push to a user at an application now.
type PushPreview struct {
	Asked    bool            // may be sent at all
	WhyNot   string          // where it may not
	Presence policy.Presence // with which it would be
	WhyCheck string          // what made the check that, beyond the policy; empty where nothing did
	Reaches  []PushTarget    // of each authenticator that is not revoked
	First    string          // what is offered first: push, passcode, enrolment, or nothing
	Codes    bool            // passcodes are offered
}

// A PushTarget is an authenticator, and why a push does not reach it.
type PushTarget struct {
	identity.Authenticator
	Unreachable string // empty where it does
}

// previewPush says what a login would make of push, once the password is proved that
// the access policy asks for.
func previewPush(ctx context.Context, r store.Reader, u identity.User, app identity.Application, rules policy.Push, e Explanation,
	all []identity.Authenticator) (now PushPreview, err error) {
	person, err := r.Users().LoginState(ctx, u.Tenant, u.ID, "", push.RejectionsSince(r.Now()))
	if err != nil {
		return now, err
	}
	at := policy.PushContext{Proved: slices.Contains(e.Decision.Require, identity.Password), Rejected: person.Rejected, Steps: e.Decision.Steps,
		CannotShow: app.CannotShowNumber, AllowPlain: app.PushWithoutPresence}
	now.Presence, now.Asked = rules.Check(e.Push.PushSettings, at)
	now.WhyNot, now.WhyCheck = whyNoPush(now, rules, e, at), whyCheck(now, e, at)
	now.Codes = e.Push.CodesAllowed && policy.Offers(at.Steps, identity.PasscodeStep) && authenticator.AnyPasscodes(all)
	reached := false
	for _, a := range all {
		why := now.WhyNot
		if now.Asked {
			why = push.UnreachableReason(a, e.Platforms, now.Presence, r.Now())
			reached = reached || why == ""
		}
		now.Reaches = append(now.Reaches, PushTarget{a, why})
	}
	passcodeFirst := at.Proved && len(at.Steps) > 0 && at.Steps[0] == identity.PasscodeStep
	switch {
	case e.Decision.Deny || !slices.Contains(e.Decision.Require, identity.SecondFactor):
		now.First = "nothing: no one-time password is asked for"
	case e.MayEnroll:
		now.First = "setting up an authenticator"
	case now.Codes && (passcodeFirst || !now.Asked || !reached):
		now.First = "passcode"
	case now.Asked && reached && now.Presence == policy.NoPresence:
		now.First = "plain push"
	case now.Asked && reached:
		now.First = "push with a presence check"
	default:
		now.First = "nothing: no push reaches the user, and no passcode counts"
	}
	return now, nil
}

// whyNoPush says what forbids a push, in the order in which it is looked for.
func whyNoPush(now PushPreview, rules policy.Push, e Explanation, at policy.PushContext) string {
	switch {
	case now.Asked:
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
func whyCheck(now PushPreview, e Explanation, at policy.PushContext) string {
	switch {
	case !now.Asked || now.Presence == e.Push.Presence:
		return ""
	case now.Presence == policy.NoPresence:
		return "the application can show no number, and a plain push is allowed there"
	case slices.Contains(at.Steps, identity.PushWithPresenceStep):
		return fmt.Sprintf("rule %s wants a presence check", e.Decision.Rule)
	case at.Rejected:
		return "the user said \"it wasn't me\" within a day"
	}
	return "no password is asked for first"
}

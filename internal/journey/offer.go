package journey

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
)

// An OldApp is an authenticator whose app is too old for the presence check
// that a push would ask for now (PUSH-22).
type OldApp struct {
	Name  string // of the authenticator
	App   string // and version, as it declares itself: "latchkey-web/1.0.0"
	Least string // the least version that can; empty where nobody knows one
}

// conclude says what comes next for the person that was gathered.
func (e *Engine) conclude(ctx context.Context, r store.Reader, v *View) error {
	j := v.Journey
	effective := v.Rules.Push.Effective(v.Groups)
	proved := j.Proved()
	var own bool // push may be sent to this user
	v.Presence, own = v.Rules.Push.Check(effective.PushSettings, policy.Occasion{Proved: proved, Rejected: v.rejected,
		Steps: j.Steps, CannotShow: j.CannotShow, Plain: j.PlainPush})
	v.Codes = effective.CodesAllowed && policy.Offers(j.Steps, identity.PasscodeStep)
	v.Facts.Push, v.Facts.Codes = own, v.Codes && (v.Facts.Temporary || authenticator.AnyPasscodes(v.Authenticators))
	v.Facts.Others = nil
	if offers, err := v.offersChallenge(ctx, r); err != nil {
		return err
	} else if offers {
		v.Facts.Others = append(v.Facts.Others, identity.ByChallenge)
	}
	if v.offersPasskey() {
		v.Facts.Others = append(v.Facts.Others, identity.ByPasskey)
	}
	if v.offersRecoveryCode() {
		v.Facts.Others = append(v.Facts.Others, identity.ByRecoveryCode)
	}
	if !proved {
		v.anybody()
	}
	now := r.Now()
	v.reach(own, now)
	if j.Method == identity.ByPush {
		if err := e.request(ctx, r, v); err != nil {
			return err
		}
	}
	v.Facts.PasswordDue = v.passwordDue(now)
	pinned, err := v.pinDue(ctx, r)
	if err != nil {
		return err
	}
	v.Facts.PINDue = pinned.ID != ""
	v.Facts.Password = v.User.Password != "" && v.Rules.Passwords.Reset
	if j.Reset != identity.NotResetting {
		v.Facts.MayEnroll = false // or a mailbox alone would do: for the password, and for what is asked beside it
	}
	v.Facts.Resync = v.resync(now).Authenticator != ""
	v.Step = Next(j, v.Facts, now)
	v.choices()
	return v.challenge(ctx, r)
}

// reach counts whom a push would reach, if one may be sent at all, and says who is
// kept from it by an app too old for the presence check, or by a lock.
func (v *View) reach(may bool, now time.Time) {
	v.Facts.PushTo, v.Facts.TooOld, v.Facts.PushLockedUntil, v.TooOld = 0, 0, time.Time{}, nil
	if now.Before(v.User.PushLockedUntil) {
		v.Facts.PushLockedUntil = v.User.PushLockedUntil
	}
	if !may {
		return
	}
	for _, a := range v.Authenticators {
		switch {
		case push.Reaches(a, v.Rules.Platforms, v.Presence, now):
			v.Facts.PushTo++
		case push.TooOld(a, v.Rules.Platforms, v.Presence, now):
			v.Facts.TooOld++
			if v.Journey.Proved() {
				v.TooOld = append(v.TooOld, OldApp{Name: a.Name, App: a.AppVersion, Least: push.Least(a.AppVersion, v.Presence.Capability())})
			}
		}
	}
}

// choices lists what may be chosen, in the order of the journey definition, or
// else push before a passcode (PUSH-7); the other ways come after these.
func (v *View) choices() {
	j, f := v.Journey, v.Facts
	proved := j.Proved()
	may := map[identity.Method]bool{
		identity.ByPush:     f.Push && (f.PushTo > 0 || !proved) && j.Pushes < v.Rules.Push.PerJourney,
		identity.ByPasscode: f.Codes,
	}
	order := []identity.Method{identity.ByPush, identity.ByPasscode}
	if proved && len(j.Steps) > 0 && j.Steps[0] == identity.PasscodeStep {
		slices.Reverse(order)
	}
	v.Methods, v.Preselected = nil, ""
	for _, m := range order {
		if may[m] {
			v.Methods = append(v.Methods, m)
		}
	}
	v.Methods = append(v.Methods, f.Others...)
	switch {
	case proved && slices.Contains(v.Methods, v.LastMethod) && v.LastMethod != identity.ByRecoveryCode: // each was for one bad day
		v.Preselected = v.LastMethod
	case len(v.Methods) > 0:
		v.Preselected = v.Methods[0]
	}
}

// anybody says what may be chosen before anything was proved: what anybody might.
// What the user's own groups and rules allow is looked at only when it is used,
// or the choices would tell who is in which (ENR-4).
func (v *View) anybody() {
	j, address := v.Journey, addressOf(v.Journey)
	var presence policy.Presence
	presence, v.Facts.Push, v.Facts.Codes = v.Rules.Push.Anybody()
	v.Presence = policy.Stricter(v.Presence, presence)
	offers := func(step identity.FactorStep) bool { return v.Rules.Access.OffersStep(step, j.Application, address) }
	v.Facts.Push = v.Facts.Push && !j.CannotShow && (offers(identity.PushStep) || offers(identity.PushWithPresenceStep))
	v.Facts.Codes = v.Facts.Codes && offers(identity.PasscodeStep)
}

// addressOf is where a journey's browser is; the zero address is unknown, which
// the policies answer with the strictest there could be.
func addressOf(j *identity.Journey) netip.Addr {
	address, err := netip.ParseAddr(j.IP)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

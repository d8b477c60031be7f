package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A flow is a journey with everything that its next prompt, or its next step,
// depends on.
type flow struct {
	Journey        *identity.Journey
	User           identity.User // zero for a decoy and before anybody is identified
	Groups         []string
	Rules          Rules
	Facts          Facts
	Step           Step
	Reason         Reason // with a step that goes no further
	Authenticators []identity.Authenticator
	Presence       policy.Presence   // what a push would ask for now
	TooOld         []OldApp          // apps of this user that cannot do that presence check, once a password was proved
	Methods        []identity.Method // that may be chosen now, in the order in which they are offered
	Preselected    identity.Method   // of these: the one that worked last in this browser, or the first
	Request        push.State        // of the push the page waits for, if any
	Challenge      store.Challenge   // that is to be answered; zero once it expired
	LastMethod     identity.Method
	Invitation     store.Invitation // by which the journey was begun; zero in a login

	engine     *Engine
	client     Client
	request    Request // what the application asked for
	opened     store.Activation
	activation enroll.ActivationState // of a journey that waits for an app to be set up

	rejected      bool   // the user answered *it wasn't me* to a push lately
	recognised    bool   // by a remembered device, in the step under way
	device        Device // that counted in the step under way, under its new secret
	recoveryCodes int64  // that the user can still use
	endedNow      bool   // by the call under way
	unchanged     bool   // the step under way changed no row of the person: they need not be read again
}

// load reads what is true around j.
func (e *Engine) load(ctx context.Context, r store.Reader, c Client, j *identity.Journey) (*flow, error) {
	rules, err := e.rules(ctx, r, j.Tenant)
	if err != nil {
		return nil, err
	}
	return e.loadUnder(ctx, r, c, j, rules)
}

// loadUnder is load under rules that were read already in the same transaction.
func (e *Engine) loadUnder(ctx context.Context, r store.Reader, c Client, j *identity.Journey, rules Rules) (*flow, error) {
	f := &flow{engine: e, client: c, Journey: j, Rules: rules}
	if err := json.Unmarshal(j.Request, &f.request); err != nil {
		return nil, fmt.Errorf("journey: request of %s: %w", j.ID, err)
	}
	var err error
	switch {
	case j.UserID != "":
		err = f.loadPerson(ctx, r, j.UserID)
	case j.Decoy:
		// The same is read of nobody, and thrown away: how long a page takes
		// must not tell a name that exists from one that does not (T-LOG-02).
		err = (&flow{Journey: j, Rules: rules}).loadPerson(ctx, r, nobody)
	}
	if err == nil {
		err = f.loadInvitation(ctx, r)
	}
	if err == nil {
		err = f.loadAddition(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return f, f.evaluate(ctx, r)
}

// nobody is the id under which decoys are looked up: no user has it.
const nobody = "nobody"

// loadPerson reads what is true of the user of an id, or nobody.
func (f *flow) loadPerson(ctx context.Context, r store.Reader, id string) error {
	j := f.Journey
	p, err := r.Users().LoginState(ctx, j.Tenant, id, j.Browser, push.RejectionsSince(r.Now()))
	if err != nil && (id != nobody || !errors.Is(err, identity.NotFound)) {
		return err
	}
	f.User, f.Groups, f.LastMethod, f.rejected = p.User, p.Groups, p.LastMethod, p.Rejected
	f.recoveryCodes, f.Facts.Temporary = p.RecoveryCodes, p.Temporary
	f.Facts.LockedUntil = p.LockedUntil(counterOf(j), r.Now())
	f.Facts.OperatorLocked = !p.User.LockedAt.IsZero()
	if f.Authenticators, err = store.Collect(r.Authenticators().OfUser(ctx, j.Tenant, id)); err != nil {
		return err
	}
	f.Facts.Disabled = !f.User.Enabled() // as of now, whatever was true when the journey began
	halfMade := pendingOf(f.Authenticators)
	f.Facts.Assigned = policy.CountEnrolled(f.Authenticators, halfMade)
	f.Facts.MayEnroll, f.Facts.WhyNotEnroll = f.Rules.SelfProvisioning.MayEnroll(policy.Candidate{
		Known:           true,
		Groups:          f.Groups,
		SecondFactor:    slices.Contains(j.Required, identity.SecondFactor),
		Authenticators:  f.Authenticators,
		OwnPending:      halfMade,
		EverEnrolled:    !f.User.EverEnrolledAt.IsZero(),
		Permit:          !f.User.EnrollPermitAt.IsZero(),
		PlatformAllowed: f.anyPlatform(),
	})
	return nil
}

// anyPlatform reports whether there is anything on which the user could enrol.
func (f *flow) anyPlatform() bool {
	return len(f.Rules.Platforms.Allowed()) > 0 || f.thirdParty() || f.privacyIDEA()
}

// thirdParty reports whether another vendor's authenticator app may be enrolled:
// it makes nothing but passcodes, so they must count for this user (ENR-12).
func (f *flow) thirdParty() bool {
	return f.Rules.SelfProvisioning.ThirdParty && f.Rules.Push.Effective(f.Groups).CodesAllowed
}

// privacyIDEA reports whether the privacyIDEA Authenticator may be enrolled, and
// would be of use to this user (PUSH-24).
func (f *flow) privacyIDEA() bool {
	return f.Rules.Platforms.PrivacyIDEA(f.Rules.Push.Effective(f.Groups).PushSettings, f.Rules.Template)
}

// pendingOf lists the authenticators the user began to set up and may begin
// again.
func pendingOf(all []identity.Authenticator) []string {
	var ids []string
	for _, a := range all {
		if a.State() == identity.Pending {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// counterOf is where a journey's failures count: in a browser the user has logged
// in from before, by itself (CRED-20).
func counterOf(j *identity.Journey) store.FailureCounter {
	t := store.FailureCounter{Tenant: j.Tenant, User: j.UserID}
	if j.KnownBrowser {
		t.Browser = j.Browser
	}
	return t
}

// An OldApp is an authenticator whose app is too old for the presence check
// that a push would ask for now (PUSH-22).
type OldApp struct {
	Name  string `json:"name"`            // of the authenticator
	App   string `json:"app"`             // and version, as it declares itself: "latchkey-web/1.0.0"
	Least string `json:"least,omitempty"` // the least version that can; empty where nobody knows one
}

// evaluate says what comes next for the person that was loaded.
func (f *flow) evaluate(ctx context.Context, r store.Reader) error {
	j := f.Journey
	effective := f.Rules.Push.Effective(f.Groups)
	proved := j.Proved()
	var pushAllowed bool // to this user
	f.Presence, pushAllowed = f.Rules.Push.Check(effective.PushSettings, policy.PushContext{Proved: proved, Rejected: f.rejected,
		Steps: j.Steps, CannotShow: j.CannotShow, AllowPlain: j.PlainPush})
	f.Facts.CodesAllowed = effective.CodesAllowed && policy.Offers(j.Steps, identity.PasscodeStep)
	f.Facts.Push, f.Facts.Codes = pushAllowed, f.Facts.CodesAllowed && (f.Facts.Temporary || authenticator.AnyPasscodes(f.Authenticators))
	f.Facts.OtherMethods = nil
	if offers, err := f.offersChallenge(ctx, r); err != nil {
		return err
	} else if offers {
		f.Facts.OtherMethods = append(f.Facts.OtherMethods, identity.ByChallenge)
	}
	if f.offersPasskey() {
		f.Facts.OtherMethods = append(f.Facts.OtherMethods, identity.ByPasskey)
	}
	if f.offersRecoveryCode() {
		f.Facts.OtherMethods = append(f.Facts.OtherMethods, identity.ByRecoveryCode)
	}
	if !proved {
		f.offerToAnybody()
	}
	now := r.Now()
	f.countReached(pushAllowed, now)
	if j.Method == identity.ByPush {
		if err := f.loadPush(ctx, r); err != nil {
			return err
		}
	}
	f.Facts.PasswordDue = f.passwordDue(now)
	pinned, err := f.pinDue(ctx, r)
	if err != nil {
		return err
	}
	f.Facts.PINDue = pinned.ID != ""
	f.Facts.Password = f.User.Password != "" && f.Rules.Passwords.Reset
	if j.Reset != identity.NotResetting {
		f.Facts.MayEnroll = false // or a mailbox alone would do: for the password, and for what is asked beside it
	}
	f.Facts.Resync = f.resync(now).Authenticator != ""
	f.Step, f.Reason = Next(j, f.Facts, now)
	f.listMethods()
	if err := f.loadChallenge(ctx, r); err != nil {
		return err
	}
	return f.loadActivation(ctx, r)
}

// countReached counts the authenticators that a push would reach, if one may be
// sent at all, and says which are kept from it by an app too old for the presence
// check, or by a lock.
func (f *flow) countReached(allowed bool, now time.Time) {
	f.Facts.PushTo, f.Facts.TooOld, f.Facts.PushLockedUntil, f.TooOld = 0, 0, time.Time{}, nil
	if now.Before(f.User.PushLockedUntil) {
		f.Facts.PushLockedUntil = f.User.PushLockedUntil
	}
	if !allowed {
		return
	}
	for _, a := range f.Authenticators {
		switch {
		case push.Reaches(a, f.Rules.Platforms, f.Presence, now):
			f.Facts.PushTo++
		case push.TooOld(a, f.Rules.Platforms, f.Presence, now):
			f.Facts.TooOld++
			if f.Journey.Proved() {
				f.TooOld = append(f.TooOld, OldApp{Name: a.Name, App: a.AppVersion, Least: push.MinVersion(a.AppVersion, f.Presence.Capability())})
			}
		}
	}
}

// listMethods lists what may be chosen, in the order of the journey definition, or
// else push before a passcode (PUSH-7); the other methods come after these.
func (f *flow) listMethods() {
	j, facts := f.Journey, f.Facts
	proved := j.Proved()
	may := map[identity.Method]bool{
		identity.ByPush:     facts.Push && (facts.PushTo > 0 || !proved) && j.Pushes < f.Rules.Push.PerJourney,
		identity.ByPasscode: facts.Codes,
	}
	order := []identity.Method{identity.ByPush, identity.ByPasscode}
	if proved && len(j.Steps) > 0 && j.Steps[0] == identity.PasscodeStep {
		slices.Reverse(order)
	}
	f.Methods, f.Preselected = nil, ""
	for _, m := range order {
		if may[m] {
			f.Methods = append(f.Methods, m)
		}
	}
	f.Methods = append(f.Methods, facts.OtherMethods...)
	switch {
	case proved && slices.Contains(f.Methods, f.LastMethod) && f.LastMethod != identity.ByRecoveryCode: // each was for one bad day
		f.Preselected = f.LastMethod
	case len(f.Methods) > 0:
		f.Preselected = f.Methods[0]
	}
}

// offerToAnybody sets what may be chosen before anything was proved: what anybody
// might. What the user's own groups and rules allow is looked at only when it is
// used, or the choices would tell who is in which group (ENR-4).
func (f *flow) offerToAnybody() {
	j, address := f.Journey, addressOf(f.Journey)
	var presence policy.Presence
	presence, f.Facts.Push, f.Facts.Codes = f.Rules.Push.ForAnyUser()
	f.Presence = policy.Stricter(f.Presence, presence)
	offers := func(step identity.FactorStep) bool { return f.Rules.Access.OffersStep(step, j.Application, address) }
	f.Facts.Push = f.Facts.Push && !j.CannotShow && (offers(identity.PushStep) || offers(identity.PushWithPresenceStep))
	f.Facts.Codes = f.Facts.Codes && offers(identity.PasscodeStep)
}

// addressOf is where a journey's client is. The zero address is unknown, which the
// policies answer with the strictest there could be.
func addressOf(j *identity.Journey) netip.Addr {
	address, err := netip.ParseAddr(j.IP)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// loadActivation reads where the activation stands that a prompt waits for.
func (f *flow) loadActivation(ctx context.Context, r store.Reader) (err error) {
	f.activation = ""
	if f.Step != EnrollScan {
		return nil
	}
	if f.opened.ID == "" { // or adding has read it
		f.opened, err = r.Activations().OfJourney(ctx, f.Journey.Tenant, f.Journey.ID)
		if errors.Is(err, identity.NotFound) {
			err = nil
		}
	}
	f.activation = enroll.StateOf(f.opened, r.Now())
	return err
}

// applicationName is the name of the application the journey leads to; empty where
// it leads to an authenticator alone.
func (f *flow) applicationName() string {
	if !f.Journey.Login() {
		return ""
	}
	return f.Journey.ApplicationName
}

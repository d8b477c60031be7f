package journey

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
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
	Preselected    identity.Method   // the first of these
	Request        push.State        // of the push the page waits for, if any
	Challenge      store.Challenge   // that is to be answered; zero once it expired
	LastMethod     identity.Method
	Invitation     store.Invitation // by which the journey was begun; zero in a login

	engine     *Engine
	client     Client
	request    Request // what the application asked for
	opened     store.Activation
	activation enroll.ActivationState // of a journey that waits for an app to be set up

	resyncing     string // the authenticator whose next passcode is asked for, if any
	rejected      bool   // the user answered *it wasn't me* to a push lately
	recognised    bool   // by a remembered device, in the step under way
	device        Device // that counted in the step under way, under its new secret
	recoveryCodes int64  // that the user can still use
	endedNow      bool   // by the call under way
	joined        bool   // the step under way took everything from the client's session
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
		// The same is read of somebody else, and thrown away: how long a page takes
		// must not tell a name that exists from one that does not (T-LOG-02).
		err = (&flow{Journey: j, Rules: rules}).loadPerson(ctx, r, cmp.Or(j.StandIn, nobody))
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

// nobody is an id that no user has.
const nobody = "nobody"

// loadPerson reads what is true of the user of an id.
func (f *flow) loadPerson(ctx context.Context, r store.Reader, id string) error {
	j := f.Journey
	p, err := r.Users().LoginState(ctx, j.Tenant, id, j.Browser, push.RejectionsSince(r.Now()))
	if err != nil && (!j.Decoy || !errors.Is(err, identity.NotFound)) {
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
	return nil
}

// counterOf is where a journey's failures count: in a browser the user has logged
// in from before, by itself (CRED-20). Those of nobody's name count nowhere.
func counterOf(j *identity.Journey) store.FailureCounter {
	t := store.FailureCounter{Tenant: j.Tenant, User: cmp.Or(j.UserID, nobody)}
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
	j, now := f.Journey, r.Now()
	proved := j.Proved()
	login := policy.Login{Required: j.Required, PushContext: policy.PushContext{Proved: proved, Rejected: f.rejected,
		Steps: j.Steps, CannotShow: j.CannotShow, AllowPlain: j.PlainPush}}
	if !proved {
		login.Least, _, _ = f.Rules.Push.ForAnyUser()
	}
	ways := f.Rules.Ways(policy.Holder{Groups: f.Groups, Authenticators: f.Authenticators, RecoveryCodes: f.recoveryCodes > 0, Temporary: f.Facts.Temporary,
		EverEnrolled: !f.User.EverEnrolledAt.IsZero(), Permit: !f.User.EnrollPermitAt.IsZero()}, login, now)
	f.Presence = ways.Presence
	f.Facts.setWays(ways)
	f.Facts.MayEnroll = f.Facts.MayEnroll && f.User.ID != ""
	f.listTooOld(ways)
	if !proved {
		if err := f.offerToAnybody(ctx, r); err != nil {
			return err
		}
	}
	f.Facts.PushLockedUntil = time.Time{}
	if now.Before(f.User.PushLockedUntil) {
		f.Facts.PushLockedUntil = f.User.PushLockedUntil
	}
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
	f.resyncing = f.resync(now).Authenticator
	f.Facts.Resync = f.resyncing != ""
	f.Step, f.Reason = Next(j, f.Facts, now)
	f.listMethods()
	if err := f.loadChallenge(ctx, r); err != nil {
		return err
	}
	return f.loadActivation(ctx, r)
}

// setWays sets the facts that are ways to confirm.
func (f *Facts) setWays(ways policy.Ways) {
	f.Assigned, f.MayEnroll, f.WhyNotEnroll = ways.Enrolled, ways.MayEnroll, ways.WhyNotEnroll
	f.Push, f.PushTo, f.TooOld = ways.Push, ways.PushTo, len(ways.TooOld)
	f.CodesAllowed, f.Codes, f.OtherMethods = ways.CodesAllowed, ways.Codes, ways.OtherMethods()
}

// listTooOld lists the apps that are too old for the presence check, for whoever proved
// a password.
func (f *flow) listTooOld(ways policy.Ways) {
	f.TooOld = nil
	if !f.Journey.Proved() {
		return
	}
	for _, a := range ways.TooOld {
		f.TooOld = append(f.TooOld, OldApp{Name: a.Name, App: a.AppVersion, Least: push.MinVersion(a.AppVersion, f.Presence.Capability())})
	}
}

// listMethods lists what may be chosen: the one that worked last in this browser, and
// then the strongest first. Of push and passcode the order is the journey
// definition's, or else push first (PUSH-7).
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
	for _, m := range facts.OtherMethods {
		if m == identity.ByPasskey { // no page but ours can use it
			f.Methods = slices.Insert(f.Methods, 0, m)
		} else {
			f.Methods = append(f.Methods, m)
		}
	}
	if last := slices.Index(f.Methods, f.LastMethod); proved && last > 0 && f.LastMethod != identity.ByRecoveryCode { // each was for one bad day
		f.Methods = slices.Insert(slices.Delete(f.Methods, last, last+1), 0, f.LastMethod)
	}
	if len(f.Methods) > 0 {
		f.Preselected = f.Methods[0]
	}
}

// offerToAnybody sets what may be chosen before anything was proved: what anybody
// might. What the user's own groups and rules allow, and which of these ways the user
// has, is looked at only when one is used, or the choices would tell who is in which
// group and has what (ENR-4). No passkey is among them: which ones may sign would tell
// whose name it is.
func (f *flow) offerToAnybody(ctx context.Context, r store.Reader) error {
	j, address := f.Journey, addressOf(f.Journey)
	offers := func(step identity.FactorStep) bool { return f.Rules.Access.OffersStep(step, j.Application, address) }
	_, pushed, codes := f.Rules.Push.ForAnyUser()
	f.Facts.Push = pushed && !j.CannotShow && (offers(identity.PushStep) || offers(identity.PushWithPresenceStep))
	f.Facts.Codes = codes && offers(identity.PasscodeStep)
	f.Facts.OtherMethods = nil
	if chosen := len(j.Required) > 0 && !slices.Contains(j.Missing(), identity.Password); chosen && f.Facts.Codes {
		challenges, err := r.Challenges().InUse(ctx, j.Tenant)
		if err != nil {
			return err
		}
		if challenges {
			f.Facts.OtherMethods = append(f.Facts.OtherMethods, identity.ByChallenge)
		}
	}
	if f.Rules.Credentials.RecoveryCodes && offers(identity.PasscodeStep) {
		f.Facts.OtherMethods = append(f.Facts.OtherMethods, identity.ByRecoveryCode)
	}
	return nil
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

package journey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An Engine takes journeys from step to step. It must not be copied.
type Engine struct {
	DB        *store.DB
	Directory *directory.Directory

	decoded decodedRules
}

// A Visit is who takes a step, and what shall happen when it is the last.
type Visit struct {
	Who      identity.Principal
	Session  identity.Session   // the browser's live session; zero when there is none
	Device   store.DeviceCookie // of a remembered device, as the browser brought it; zero when it brought none
	Remember *bool              // whether the page's box to remember the device was ticked; nil of a page without one
	// Grant runs in the transaction in which the journey succeeds, after the
	// session was written.
	Grant func(ctx context.Context, tx *store.Tx, s Success) error
}

// A Success is a journey that passed all it required.
type Success struct {
	Journey *identity.Journey
	User    identity.User
	Session identity.Session
	Secret  string // of the session, new; empty where an old session sufficed
	Device  Device // to be kept by the browser from now on; zero where nothing changed
	Context string // the authentication context reached
}

// A View is a journey with all that its next page, or its next step, depends on.
type View struct {
	Journey        *identity.Journey
	User           identity.User // zero for a decoy and before anybody is identified
	Groups         []string
	Rules          Rules
	Facts          Facts
	Step           Step
	Authenticators []identity.Authenticator
	Presence       policy.Presence   // what a push would ask for now
	Codes          bool              // policy lets this user's passcodes count
	TooOld         []OldApp          // apps of this user that cannot do that presence check, once a password was proved
	Methods        []identity.Method // that may be chosen now, in the order in which they are offered
	Preselected    identity.Method   // of these: the one that worked last in this browser, or the first
	Request        push.State        // of the push the page waits for, if any
	Challenge      store.Challenge   // that the page asks to have answered; zero once it expired
	LastMethod     identity.Method
	Invitation     store.Invitation // by which the journey was begun; zero in a login

	rejected      bool   // the user said *it wasn't me* to a push lately
	recognised    bool   // by a remembered device, in the step under way
	device        Device // that counted in the step under way, under its new secret
	recoveryCodes int64  // that the user can still use
	kept          bool   // the step under way changed no row of the person: settle need not read them again
}

// Look returns a journey as it stands now.
func (e *Engine) Look(ctx context.Context, tenant, id string) (*View, error) {
	j, err := e.DB.Journeys().Get(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	return e.view(ctx, e.DB.Reader, j)
}

// Glance returns a journey alone, standing where the browser says it does unless
// it has ended. It is for acts that are steps by [Engine.Step], which looks at
// everything in its own transaction and refuses a step the journey is not at.
func (e *Engine) Glance(ctx context.Context, tenant, id string, claimed Step) (*View, error) {
	j, err := e.DB.Journeys().Get(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	v := &View{Journey: j, Step: claimed}
	if j.Over(e.DB.Now()) {
		v.Step = Ended
	}
	return v, nil
}

// view gathers what is true around j.
func (e *Engine) view(ctx context.Context, r store.Reader, j *identity.Journey) (*View, error) {
	rules, err := e.rules(ctx, r, j.Tenant)
	if err != nil {
		return nil, err
	}
	return e.gather(ctx, r, j, rules)
}

// gather is view under rules that were read already in the same transaction.
func (e *Engine) gather(ctx context.Context, r store.Reader, j *identity.Journey, rules Rules) (*View, error) {
	v := &View{Journey: j, Rules: rules}
	var err error
	switch {
	case j.UserID != "":
		err = e.person(ctx, r, v, j.UserID)
	case j.Decoy:
		// The same is read of nobody, and thrown away: how long a page takes
		// must not tell a name that exists from one that does not (T-LOG-02).
		err = e.person(ctx, r, &View{Journey: j, Rules: v.Rules}, nobody)
	}
	if err == nil {
		err = v.invitation(ctx, r)
	}
	if err == nil {
		err = v.addition(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return v, e.conclude(ctx, r, v)
}

// nobody is the id under which decoys are looked up: no user has it.
const nobody = "nobody"

// person gathers what is true of the user of an id, or nobody.
func (e *Engine) person(ctx context.Context, r store.Reader, v *View, id string) error {
	j := v.Journey
	p, err := r.Users().LoginState(ctx, j.Tenant, id, j.Browser, push.RejectionCounts(r.Now()))
	if err != nil && (id != nobody || !errors.Is(err, identity.NotFound)) {
		return err
	}
	v.User, v.Groups, v.LastMethod, v.rejected = p.User, p.Groups, p.LastMethod, p.Rejected
	v.recoveryCodes, v.Facts.Temporary = p.RecoveryCodes, p.Temporary
	v.Facts.LockedUntil = p.LockedUntil(e.tally(j), r.Now())
	if v.Authenticators, err = store.Collect(r.Authenticators().OfUser(ctx, j.Tenant, id)); err != nil {
		return err
	}
	v.Facts.Disabled = !v.User.Enabled() // live, whatever was true when the journey began
	halfMade := pendingOf(v.Authenticators)
	v.Facts.Assigned = policy.Counting(v.Authenticators, halfMade)
	v.Facts.MayEnroll, v.Facts.WhyNotEnroll = v.Rules.SelfProvisioning.MayEnroll(policy.Candidate{
		Known:          true,
		Groups:         v.Groups,
		SecondFactor:   slices.Contains(j.Required, identity.SecondFactor),
		Authenticators: v.Authenticators,
		HalfMade:       halfMade,
		EverEnrolled:   !v.User.EverEnrolledAt.IsZero(),
		Leave:          !v.User.MayEnrollAt.IsZero(),
		Platform:       len(v.Rules.Platforms.Allowed()) > 0 || v.ThirdParty() || v.PrivacyIDEA(),
	})
	return nil
}

// ThirdParty reports whether another vendor's authenticator app may be enrolled:
// it makes nothing but passcodes, so they must count for this user (ENR-12).
func (v *View) ThirdParty() bool {
	return v.Rules.SelfProvisioning.ThirdParty && v.Rules.Push.Effective(v.Groups).CodesAllowed
}

// PrivacyIDEA reports whether the privacyIDEA Authenticator may be enrolled, and
// would be of use to this user (PUSH-24).
func (v *View) PrivacyIDEA() bool {
	return v.Rules.Platforms.PrivacyIDEA(v.Rules.Push.Effective(v.Groups).PushSettings, v.Rules.Template)
}

// pendingOf lists the authenticators the user began to set up and may begin
// again. Operators' enrolment, once there is one, will leave others.
func pendingOf(all []identity.Authenticator) []string {
	var ids []string
	for _, a := range all {
		if a.State() == identity.Pending {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// tally is where a journey's failures count: in a browser the user has logged
// in from before, by itself (CRED-20).
func (e *Engine) tally(j *identity.Journey) store.FailureCounter {
	t := store.FailureCounter{Tenant: j.Tenant, User: j.UserID}
	if j.KnownBrowser {
		t.Browser = j.Browser
	}
	return t
}

// step runs act on a journey in one transaction: what it changes in j, what it
// writes besides, its events and mails, and, if nothing is missing any more,
// the session and the grant. version is the one the page was made from; if the
// journey has moved on since, nothing happens and a Conflict says so.
func (e *Engine) step(ctx context.Context, visit Visit, tenant, id string, version int64, act func(tx *store.Tx, v *View) error) (*View, error) {
	var after *View
	err := e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error {
		j, err := tx.Journeys().Get(ctx, tenant, id)
		if err != nil {
			return err
		}
		if j.Version != version {
			return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: fmt.Errorf("journey %s is at version %d, the page at %d", id, j.Version, version)}
		}
		v, err := e.view(ctx, tx.Reader, j)
		if err != nil {
			return err
		}
		if v.Step == Ended {
			return &identity.Error{Kind: identity.Expired, Key: "error.journey.ended"}
		}
		j.Notice = ""
		v.tick(visit.Remember)
		if err := act(tx, v); err != nil {
			return err
		}
		after, err = e.settle(ctx, tx, visit, v)
		return err
	})
	return after, err
}

// Step is step for what other packages do in a journey, such as
// self-provisioning. It refuses with a Conflict unless the journey stands at
// one of the steps at: no step can be skipped by posting a later one's form
// (T-LOG-05).
func (e *Engine) Step(ctx context.Context, visit Visit, v *View, act func(tx *store.Tx, v *View) error, at ...Step) (*View, error) {
	return e.step(ctx, visit, v.Journey.Tenant, v.Journey.ID, v.Journey.Version, func(tx *store.Tx, v *View) error {
		if !slices.Contains(at, v.Step) {
			return stale(v)
		}
		return act(tx, v)
	})
}

func stale(v *View) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: fmt.Errorf("journey %s stands at %q", v.Journey.ID, v.Step)}
}

// settle looks again at what the step made true, ends the journey if it is
// done, and writes it.
func (e *Engine) settle(ctx context.Context, tx *store.Tx, visit Visit, v *View) (*View, error) {
	j := v.Journey
	if j.EndedAt.IsZero() {
		var err error
		if v.kept {
			err = e.conclude(ctx, tx.Reader, v)
		} else {
			v, err = e.gather(ctx, tx.Reader, j, v.Rules)
		}
		if err != nil {
			return nil, err
		}
		if v.Step == Done {
			j.EndedAt, j.Outcome = tx.Now(), identity.Succeeded
		}
		endWithLock(v)
	}
	if err := tx.Journeys().Step(ctx, j); err != nil {
		return nil, err
	}
	if err := v.pose(ctx, tx); err != nil {
		return nil, err
	}
	if j.Outcome == identity.Succeeded && j.Login() { // who enrolled by mail is not logged in (ENR-4)
		return v, e.succeed(ctx, tx, visit, v)
	}
	return v, nil
}

// endWithLock lets a journey that met a lock live no longer than that: who goes
// on guessing afterwards begins with the password again (T-LOG-11).
func endWithLock(v *View) {
	if v.Step == Locked && v.Facts.LockedUntil.Before(v.Journey.ExpiresAt) {
		v.Journey.ExpiresAt = v.Facts.LockedUntil
	}
}

// succeed writes the session of a journey that passed all it required.
func (e *Engine) succeed(ctx context.Context, tx *store.Tx, visit Visit, v *View) error {
	j, now := v.Journey, tx.Now()
	s := identity.Session{Tenant: j.Tenant, ID: identity.NewID(identity.SessionID), UserID: j.UserID, Browser: j.Browser,
		Agent: j.Fingerprint, IP: j.IP, CreatedAt: now, SeenAt: now, Idle: time.Duration(v.Rules.Limits.SessionIdle) * time.Second}
	switch old := visit.Session; {
	case old.ID == "":
	case old.UserID == j.UserID:
		// The same person proved more, or the same anew: the session goes on,
		// under a new secret, with the applications it is logged in to.
		s.ID, s.CreatedAt = old.ID, old.CreatedAt
		s.Passed = slices.DeleteFunc(slices.Clone(old.Passed), func(p identity.Passed) bool { return j.Has(p.Validation) })
	default:
		if err := tx.Sessions().End(ctx, j.Tenant, old.ID); err != nil {
			return err
		}
	}
	s.Passed = append(s.Passed, j.Passed...)
	for _, p := range j.Passed { // a remembered device proves nothing anew
		if p.At.After(s.AuthTime) && p.Method != identity.ByRememberedDevice {
			s.AuthTime = p.At
		}
	}
	// The absolute end counts from the oldest of what was proved before this
	// journey: proving one thing more makes nothing else younger.
	oldest := now
	for _, p := range s.Passed {
		if p.At.Before(j.StartedAt) && p.At.Before(oldest) {
			oldest = p.At
		}
	}
	s.ExpiresAt = oldest.Add(time.Duration(v.Rules.Limits.SessionLife) * time.Second)
	secret := identity.NewSecret()
	if err := tx.Sessions().Save(ctx, s, secret); err != nil {
		return err
	}
	var method identity.Method
	data := map[string]string{"context": v.Rules.Reached(j)}
	for _, p := range j.Passed {
		data[string(p.Validation)] = string(p.Method)
		if p.Validation == identity.SecondFactor && p.Method != identity.ByRememberedDevice {
			method = p.Method // is preselected when one is asked for again
			if method == identity.ByVerifiedPasskey {
				method = identity.ByPasskey // is what is chosen
			}
		}
	}
	if err := tx.Users().RecordLogin(ctx, j.Tenant, j.UserID, j.Browser, j.KnownBrowser, method); err != nil {
		return err
	}
	if err := directory.TellUnlocked(ctx, tx, v.Rules.Lockout, v.User, origin(tx, visit, j)); err != nil {
		return err
	}
	err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.LoginSucceeded, User: j.UserID, Application: j.Application,
		Journey: j.ID, Data: data, Personal: personal(j)})
	if err != nil {
		return err
	}
	device, err := e.remember(ctx, tx, v)
	if err != nil {
		return err
	}
	return visit.Grant(ctx, tx, Success{Journey: j, User: v.User, Session: s, Secret: secret, Device: device, Context: v.Rules.Reached(j)})
}

// personal is what the events of a journey keep of its person: the name, and the
// browser, by which one recognises one's own sign-ins in their history.
func personal(j *identity.Journey) map[string]string {
	return map[string]string{"name": j.Name, "browser": j.Fingerprint}
}

// evaluate fixes what the journey requires (JRN-15), from the policy as it
// stands now. A password is asked of every name if any rule of the application
// asks anybody for one; whose name it is, is looked at afterwards (JRN-10).
func evaluate(v *View) error {
	j := v.Journey
	address := addressOf(j)
	access := v.Rules.Access
	need, reachable := v.Rules.asked(j.ACR)
	if !reachable {
		return &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: fmt.Errorf("no authentication context of %v can be reached", j.ACR)}
	}
	if access.AsksPassword(j.Application, address) {
		need = append(need, identity.Password)
	}
	j.Remember = identity.NotRemembered
	j.Refused, j.Steps, j.Policy = "", nil, v.Rules.AccessVersion
	if j.UserID == "" {
		if access.AsksSecondFactor(j.Application, address) {
			need = append(need, identity.SecondFactor)
		}
	} else {
		d := access.Decide(policy.Subject{Groups: v.Groups, Application: j.Application, Address: address})
		if d.Deny {
			// Said once something was proved; until then all is as for others.
			j.Refused = "policy"
			if access.AsksSecondFactor(j.Application, address) {
				need = append(need, identity.SecondFactor)
			}
		}
		need = append(need, d.Require...)
		j.Steps, j.Remember = slices.Clone(d.Steps), allowRemembered(d)
		if d.MaxAge > 0 {
			if after := j.StartedAt.Add(-time.Duration(d.MaxAge) * time.Second); after.After(j.FreshAfter) {
				j.FreshAfter = after
			}
		}
	}
	j.Required = nil
	for _, validation := range []identity.Validation{identity.Password, identity.SecondFactor, identity.VerifiedPasskey} {
		if slices.Contains(need, validation) {
			j.Required = append(j.Required, validation)
		}
	}
	if len(j.Required) == 0 {
		// A rule denies it to everybody here. Nobody passes without proof.
		j.Required = []identity.Validation{identity.Password}
	}
	return nil
}

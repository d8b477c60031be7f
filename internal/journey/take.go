package journey

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Take hands one input to a journey and returns the prompt that follows. state is
// that of the prompt on which the input was decided: if the journey stands
// elsewhere by now, or the input does not belong to its step, nothing changes and
// the present prompt is returned. So no effect is repeated by going back or
// reloading, and no step is skipped by sending a later one's input (T-LOG-05).
//
// A client that the journey is not bound to is a Forbidden, see [Engine.Look]. A
// Throttled or
// Unavailable says when to come again.
//
// It is done in this order: a slot for the hash, the rate and the reservation of
// the try, the hash, the step. The rate and the reservation commit by themselves,
// since they must count though the client leaves; so does the settling of the
// reservation where the step comes to nothing. No hash is computed and no network
// is called inside a transaction.
func (e *Engine) Take(ctx context.Context, c Client, id, state string, in Input) (*Prompt, error) {
	// The journey alone is looked at before a transaction is begun: whoever has no
	// part in it, or comes too late, shall not keep those waiting who have.
	j, err := e.boundJourney(ctx, e.DB.Reader, c, id)
	if err != nil && !errors.Is(err, errOver) {
		return nil, err
	}
	if !fitsVersion(j, state, in) || j.Over(e.DB.Now()) {
		return e.lookStale(ctx, c, id)
	}
	t := &taking{engine: e, client: c, journey: j, state: state, input: in}
	after, err := t.take(ctx)
	if errors.Is(err, identity.Conflict) { // somebody else took a step of it meanwhile
		return e.lookStale(ctx, c, id)
	}
	return after, err
}

// lookStale is Look for an input that came too late.
func (e *Engine) lookStale(ctx context.Context, c Client, id string) (*Prompt, error) {
	p, err := e.Look(ctx, c, id)
	if err == nil {
		p.Stale = true
	}
	return p, err
}

func (t *taking) take(ctx context.Context) (*Prompt, error) {
	if uses, err := t.usesSession(ctx); err != nil {
		return nil, err
	} else if uses {
		return t.commit(ctx, func(ctx context.Context, tx *store.Tx, f *flow) error { return f.joinSession(ctx, tx) })
	}
	switch in := t.input.(type) {
	case EnterPassword:
		return t.enterPassword(ctx, in)
	case ChoosePassword:
		return t.choosePassword(ctx, in)
	case Continue:
		// Mostly there is nothing to go on from yet, or the phone has taken the
		// journey elsewhere already: a look needs no transaction.
		f, err := t.engine.load(ctx, t.engine.DB.Reader, t.client, t.journey)
		if err != nil {
			return nil, err
		}
		if !f.goesOn() {
			return f.stale(ctx, t.engine.DB.Reader)
		}
	}
	return t.commit(ctx, t.dispatch)
}

// usesSession reports whether the input goes on with a session that is newer than the
// journey. Only of one that may be is anything read.
func (t *taking) usesSession(ctx context.Context) (bool, error) {
	if !newerSession(t.client, t.journey, Request{}) {
		return false, nil
	}
	f, err := t.engine.load(ctx, t.engine.DB.Reader, t.client, t.journey)
	if err != nil {
		return false, err
	}
	return f.usesSession(ctx, t.engine.DB.Reader, t.input)
}

// fitsVersion reports whether an input was decided on the version that the
// journey has. A language may be picked on any.
func fitsVersion(j *identity.Journey, state string, in Input) bool {
	_, language := in.(PickLanguage)
	return language || versionOf(state) == j.Version
}

// fits reports whether an input was decided on the prompt that is shown now. What
// goes on from where the journey stands does so whatever the phone has changed.
func (f *flow) fits(state string, in Input) bool {
	switch in.(type) {
	case PickLanguage:
		return true
	case Continue:
		return versionOf(state) == f.Journey.Version
	}
	return state == f.state()
}

// A taking is one input on its way through counting, preparing and committing.
type taking struct {
	engine  *Engine
	client  Client
	journey *identity.Journey // as read before any transaction
	state   string
	input   Input
}

// An effect is what an input does in the transaction of its step. It changes the
// journey and the rows besides it; what comes next is not for it to say.
type effect func(ctx context.Context, tx *store.Tx, f *flow) error

// commit takes the step in one transaction: what the effect changes in the
// journey and writes besides, its events and mails, and, if nothing is missing
// any more, the session and the grant.
func (t *taking) commit(ctx context.Context, act effect) (after *Prompt, err error) {
	err = t.engine.DB.InTx(ctx, t.client.Who, func(tx *store.Tx) error {
		f, err := t.load(ctx, tx.Reader)
		if err != nil {
			return err
		}
		if f.Step == Ended || !f.fits(t.state, t.input) {
			after, err = f.stale(ctx, tx.Reader)
			return err
		}
		f.Journey.Notice = ""
		f.leaveNewAuthenticator(t.input)
		f.setRemember(t.input)
		at := f.Step
		if err := act(ctx, tx, f); errors.Is(err, errNotHere) {
			// The input does not belong to this step. Nothing was changed.
			if f, err = t.load(ctx, tx.Reader); err == nil {
				after, err = f.stale(ctx, tx.Reader)
			}
			return err
		} else if err != nil {
			return err
		}
		f.Journey.Taken = identity.TakenStep{Step: string(at), Executor: string(executorOf(at, t.input)), Input: t.input.Kind(), At: tx.Now()}
		if f, err = t.engine.commit(ctx, tx, f); err != nil {
			return err
		}
		after, err = f.answer(ctx, tx.Reader)
		return err
	})
	return after, err
}

// errNotHere is the error of an input at a step that takes none of its kind.
var errNotHere = errors.New("journey: the step takes no such input")

func (t *taking) load(ctx context.Context, r store.Reader) (*flow, error) {
	j, err := t.engine.boundJourney(ctx, r, t.client, t.journey.ID)
	if err != nil {
		return nil, err
	}
	return t.engine.load(ctx, r, t.client, j)
}

// dispatch is the one place that says which input does what at which step.
func (t *taking) dispatch(ctx context.Context, tx *store.Tx, f *flow) error {
	switch in := t.input.(type) {
	case PickLanguage:
		return f.pickLanguage(ctx, tx, in)
	case Cancel:
		return f.cancel(ctx, tx)
	case GoBack:
		return f.goBack(ctx, tx)
	case ForgotPassword:
		if f.at(AskPassword) {
			return f.forgotPassword(ctx, tx)
		}
	case EnterName:
		if f.at(Identify) {
			return f.identify(ctx, tx, in)
		}
	case ChooseMethod:
		return f.chooseMethod(ctx, tx, in)
	case EnterPasscode:
		switch {
		case f.at(AskPasscode, AskNextPasscode):
			return f.enterPasscode(ctx, tx, in)
		case f.at(EnrollThirdParty):
			return f.confirmThirdParty(ctx, tx, in)
		}
	case EnterResponse:
		if f.at(AskChallenge) {
			return f.enterResponse(ctx, tx, in)
		}
	case EnterRecoveryCode:
		if f.at(AskRecoveryCode) {
			return f.enterRecoveryCode(ctx, tx, in)
		}
	case SignWithPasskey:
		if f.at(Identify, AskPasskey) {
			return f.signWithPasskey(ctx, tx, in)
		}
	case EnterMailCode:
		switch {
		case f.at(AskResetCode):
			return f.enterResetCode(ctx, tx, in)
		case f.at(EnrollCode):
			return f.enterEnrollmentCode(ctx, tx, in)
		}
	case ChoosePIN:
		if f.at(AskNewPIN) {
			return f.choosePIN(ctx, tx, in)
		}
	case ChoosePlatform:
		if f.at(EnrollPlatform) {
			return f.choosePlatform(ctx, tx, in.Platform)
		}
	case Resend:
		return f.resend(ctx, tx)
	case Continue:
		switch {
		case !f.goesOn():
		case f.at(EnrollOffer):
			return f.sendEnrollmentCode(ctx, tx)
		case f.at(WaitForPush):
			return f.claimPush(ctx, tx)
		default:
			return nil // its authenticator is ready, and commit ends the journey
		}
	}
	return errNotHere
}

// goesOn reports whether there is something to go on to by [Continue]: what is
// offered, what the phone approved, or the end of an enrolment.
func (f *flow) goesOn() bool {
	return f.at(EnrollOffer) || f.at(WaitForPush) && f.Request.Outcome == store.PushApproved || f.at(Done) && !f.Journey.Login()
}

// resend sends or makes another of what the prompt is about.
func (f *flow) resend(ctx context.Context, tx *store.Tx) error {
	switch f.Step {
	case AskResetCode:
		return f.forgotPassword(ctx, tx)
	case EnrollCode:
		return f.sendEnrollmentCode(ctx, tx)
	case WaitForPush, PushOver:
		return f.sendPush(ctx, tx)
	case Choose, AskPasscode: // of a push that could not be sent
		return f.sendPush(ctx, tx)
	case AskChallenge:
		f.unchanged = true // commit issues another, if this one expired
		return nil
	case EnrollScan:
		return f.renewActivation(ctx, tx)
	case EnrollThirdParty:
		return f.renewThirdParty(ctx, tx)
	}
	return errNotHere
}

func (f *flow) at(steps ...Step) bool { return slices.Contains(steps, f.Step) }

// executorOf is who carried a step out: going on from what the phone did was the
// phone's, everything else the browser's.
func executorOf(at Step, in Input) Executor {
	if _, goesOn := in.(Continue); goesOn {
		return at.Executor()
	}
	return Browser
}

// commit looks again at what the step made true, ends the journey if it is done,
// and writes it.
func (e *Engine) commit(ctx context.Context, tx *store.Tx, f *flow) (*flow, error) {
	j := f.Journey
	if j.EndedAt.IsZero() {
		var err error
		if f, err = f.look(ctx, tx); err != nil {
			return nil, err
		}
		if only, ok := f.onlyPlatform(); ok {
			if err := f.choosePlatform(ctx, tx, only); err != nil {
				return nil, err
			}
			if f, err = f.look(ctx, tx); err != nil {
				return nil, err
			}
		}
		if f.Step == Done {
			j.EndedAt, j.Outcome = tx.Now(), identity.Succeeded
		}
		endWithLock(f)
	}
	j.Taken.Result = j.Notice
	if err := tx.Journeys().Step(ctx, j); err != nil {
		return nil, err
	}
	f.endedNow = !j.EndedAt.IsZero()
	if err := f.issueChallenge(ctx, tx); err != nil {
		return nil, err
	}
	if f.joined && j.Outcome == identity.Succeeded {
		return f, f.useSession(ctx, tx)
	}
	if j.Outcome == identity.Succeeded && j.Login() { // whoever enrolled by mail is not signed in (ENR-4)
		return f, e.succeed(ctx, tx, f)
	}
	return f, nil
}

// look asks Next again. The person's rows are read anew unless the step changed
// none.
func (f *flow) look(ctx context.Context, tx *store.Tx) (*flow, error) {
	if f.unchanged {
		return f, f.evaluate(ctx, tx.Reader)
	}
	fresh, err := f.engine.loadUnder(ctx, tx.Reader, f.client, f.Journey, f.Rules)
	if err != nil {
		return nil, err
	}
	fresh.recognised, fresh.device, fresh.joined = f.recognised, f.device, f.joined
	return fresh, nil
}

// endWithLock lets a journey that met a lock live no longer than that: whoever
// goes on guessing afterwards begins with the password again (T-LOG-11).
func endWithLock(f *flow) {
	if f.Step == Locked && f.Facts.LockedUntil.Before(f.Journey.ExpiresAt) {
		f.Journey.ExpiresAt = f.Facts.LockedUntil
	}
}

// succeed writes the session of a journey that passed everything it required.
func (e *Engine) succeed(ctx context.Context, tx *store.Tx, f *flow) error {
	j := f.Journey
	s, err := f.renewSession(ctx, tx)
	if err != nil {
		return err
	}
	secret := identity.NewSecret()
	if err := tx.Sessions().Save(ctx, s, secret); err != nil {
		return err
	}
	var method identity.Method
	data := map[string]string{"context": f.Rules.Reached(j)}
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
	if err := directory.NotifyUnlocked(ctx, tx, f.Rules.Lockout, f.User, f.origin(tx)); err != nil {
		return err
	}
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.LoginSucceeded, User: j.UserID, Application: j.Application,
		Journey: j.ID, Data: data, Personal: personal(j)})
	if err != nil {
		return err
	}
	device, err := e.remember(ctx, tx, f)
	if err != nil {
		return err
	}
	return f.grant(ctx, tx, Success{Session: s, Secret: secret, Device: device})
}

// grant tells the face that the journey succeeded. It hands a copy of the
// journey over: the callback may not change one.
func (f *flow) grant(ctx context.Context, tx *store.Tx, s Success) error {
	s.Journey, s.Request, s.User, s.Context = *f.Journey, f.request, f.User, f.Rules.Reached(f.Journey)
	return f.client.Grant(ctx, tx, s)
}

// renewSession returns the session that a journey leads to: the one that the same
// person had, under a new secret and with the applications it is signed in to, or
// a new one. Another person's session in the same browser ends.
func (f *flow) renewSession(ctx context.Context, tx *store.Tx) (identity.Session, error) {
	j, now := f.Journey, tx.Now()
	s := identity.Session{Tenant: j.Tenant, ID: identity.NewID(identity.SessionID), UserID: j.UserID, Browser: j.Browser,
		Agent: j.Fingerprint, IP: j.IP, CreatedAt: now, SeenAt: now, Idle: time.Duration(f.Rules.Limits.SessionIdle) * time.Second}
	switch old := f.client.Session; {
	case old.ID == "":
	case old.UserID == j.UserID:
		s.ID, s.CreatedAt = old.ID, old.CreatedAt
		s.Passed = slices.DeleteFunc(slices.Clone(old.Passed), func(p identity.CompletedFactor) bool { return j.Has(p.Validation) })
	default:
		if err := tx.Sessions().End(ctx, j.Tenant, old.ID); err != nil {
			return s, err
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
	s.ExpiresAt = oldest.Add(time.Duration(f.Rules.Limits.SessionLifetime) * time.Second)
	return s, nil
}

// personal is what the events of a journey keep of its person: the name, and the
// browser, by which one recognises one's own sign-ins in their history.
func personal(j *identity.Journey) map[string]string {
	return map[string]string{"name": j.Name, "browser": j.Fingerprint}
}

// origin is where a journey's client is, for mails.
func (f *flow) origin(tx *store.Tx) templates.Origin {
	ip := f.client.Who.IP
	return templates.Origin{IP: ip, Place: f.engine.Locations.Place(ip, f.language()), Browser: f.Journey.Fingerprint, At: tx.Now()}
}

// place is where the address is from which the journey was begun, in the person's
// language. It is looked up for every name alike, also where a push is sent to nobody
// (ENR-4).
func (f *flow) place() string { return f.engine.Locations.Place(f.Journey.IP, f.language()) }

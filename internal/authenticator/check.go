package authenticator

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// spent is how many counters of an HOTP authenticator are remembered besides
// the last: one of their passcodes typed again is a replay, not a guess.
const spent = 10

// An Attempt is a passcode somebody typed, and for what.
type Attempt struct {
	Tenant      string
	User        string
	Application string         // id; for the event
	Journey     string         // id; for the event
	Typed       string         // as it was typed
	Rules       policy.Lockout // the tenant's, as they stand now
	PIN         policy.ServerPIN
	From        templates.Origin
	First       identity.Resync // the passcode that this one must follow; zero for one by itself
	FirstAlone  bool            // nothing but what follows First counts: policy refuses passcodes
	Last        bool            // the journey had its resynchronisation: the outer window is closed
}

// A Reason is why a passcode let nobody in. It is for events: people read the
// same words for all of them.
type Reason string

const (
	Wrong    Reason = "wrong"
	Replayed Reason = "replay"           // right, but used before, or older than one that was
	Locked   Reason = "locked"           // right, of an authenticator that is locked or suspended
	TooFar   Reason = "outer window"     // right, but so far off that the next one must follow (CRED-10)
	Paused   Reason = "passcodes locked" // not looked at: the user's passcodes are locked (CRED-12)
)

// A Result is what came of an attempt.
type Result struct {
	OK            bool
	Authenticator identity.Authenticator   // whose passcode it was; zero with Wrong, and of a temporary one
	Temporary     bool                     // it was one that an operator made
	Reason        Reason                   // empty if OK
	WrongPIN      bool                     // with Wrong: the passcode was right, the PIN beside it was not
	First         identity.Resync          // with TooFar: what the next one must follow
	NowLocked     []identity.Authenticator // by this attempt, to tell their user
}

// Check checks a passcode that was typed, counts it and writes its events. A
// wrong one is no error: the transaction must commit, or it would not count.
//
// While a user's passcodes are locked nothing is looked at (CRED-12): a right one
// is not used up, and nobody learns whether it was one.
func Check(ctx context.Context, tx *store.Tx, try Attempt) (Result, error) {
	count, err := begin(ctx, tx, try)
	if err != nil {
		return Result{}, err
	}
	if count.paused {
		result := Result{Reason: Paused}
		return result, record(ctx, tx, try, result)
	}
	all, err := seeded(ctx, tx, try.Tenant, try.User, makesPasscodes)
	if err != nil {
		return Result{}, err
	}
	result, err := whose(ctx, tx, all, try)
	if err != nil {
		return result, err
	}
	if err := record(ctx, tx, try, result); err != nil {
		return result, err
	}
	if result.Reason == Wrong {
		if err := countTemporary(ctx, tx, try); err != nil {
			return result, err
		}
	}
	result.NowLocked, err = count.end(ctx, tx, all, try, result)
	return result, err
}

// whose finds whose passcode was typed, and uses it up: where it is accepted,
// then where it has lost its clock or counter, then what an operator made.
func whose(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt) (Result, error) {
	code := otp.Canonical(try.Typed)
	result := Result{Reason: Wrong}
	var err error
	if !try.FirstAlone {
		if result, err = match(ctx, tx, all, code, try); err != nil {
			return result, err
		}
	}
	if result.Reason == Wrong {
		wrongPIN := result.WrongPIN
		if result, err = matchFar(ctx, tx, all, code, try); err != nil {
			return result, err
		}
		result.WrongPIN = wrongPIN && result.Reason == Wrong
	}
	if result.Reason == Wrong && !result.WrongPIN && !try.FirstAlone {
		return useTemporary(ctx, tx, try, code)
	}
	return result, nil
}

// record writes the event of what came of an attempt.
func record(ctx context.Context, tx *store.Tx, try Attempt, result Result) error {
	e := audit.Event{Tenant: try.Tenant, Kind: audit.PasscodeRight, User: try.User, Application: try.Application,
		Journey: try.Journey, Authenticator: result.Authenticator.ID, Reason: string(result.Reason)}
	if result.Authenticator.ID != "" {
		e.Data = map[string]string{"serial": result.Authenticator.Serial}
	}
	switch {
	case result.Temporary:
		e.Data = map[string]string{"temporary": "yes"}
	case result.WrongPIN:
		e.Kind, e.Data = audit.PasscodeWrong, map[string]string{"pin": "wrong"}
	case result.Reason == TooFar:
		e.Kind, e.Reason = audit.OuterWindow, ""
	case !result.OK:
		e.Kind = audit.PasscodeWrong
	}
	return tx.Event(ctx, e)
}

// match finds whose passcode it is, and uses it up. A fresh one of any
// authenticator goes before one used up of another that happens to be the same.
func match(ctx context.Context, tx *store.Tx, all []identity.Authenticator, code string, try Attempt) (Result, error) {
	result := Result{Reason: Wrong}
	for _, a := range all {
		pin, passcode := try.typed(a, code)
		step, drift, ok := recognise(tx, a, passcode, try.Rules.LookAhead)
		if !ok {
			continue
		}
		right, err := pinRight(ctx, tx, a, pin)
		switch {
		case err != nil:
			return result, err
		case !right:
			result.WrongPIN = true
			if err := spend(ctx, tx, a, step); err != nil {
				return result, err
			}
			continue
		case a.State() != identity.Active:
			if result.Reason == Wrong {
				result.Authenticator, result.Reason = a, Locked
			}
			continue
		}
		fresh, err := tx.Passcodes().UseStep(ctx, a.Tenant, a.ID, step, drift)
		if err != nil {
			return result, err
		}
		if fresh {
			return Result{OK: true, Authenticator: a}, pinUsed(ctx, tx, a)
		}
		result.Authenticator, result.Reason = a, Replayed
	}
	return result, nil
}

// Approve checks the passcode in the signed approval of a push, and uses it up.
// An app that answers challenges sends its response to the request's nonce there.
// The step used last may come again, since the nonce that was signed makes the
// approval fresh. No counter moves, whatever the passcode is (CRED-11).
//
// One from the outer window is right, but does not count: it is remembered, so
// that it begins one resynchronisation and no other, and returned for the next
// passcode to follow (PUSH-16).
func Approve(ctx context.Context, tx *store.Tx, a identity.Authenticator, nonce, passcode string) (push.Verdict, store.Passcode, error) {
	var came store.Passcode
	if a.Protocol == identity.PiPush { // whose app makes none
		return push.PasscodeWrong, came, nil
	}
	var err error
	if a.Seed, err = tx.Authenticators().Seed(ctx, a.Tenant, a.ID); err != nil {
		return push.PasscodeWrong, came, err
	}
	if a, err = unlockLapsed(ctx, tx, a); err != nil {
		return push.PasscodeWrong, came, err
	}
	if answersChallenges(a) {
		verdict, err := approveByResponse(ctx, tx, a, nonce, passcode)
		return verdict, came, err
	}
	rules, err := lockout(ctx, tx, a.Tenant)
	if err != nil {
		return push.PasscodeWrong, came, err
	}
	if came, ok := within(tx, a, passcode, rules.LookAhead); ok {
		use := tx.Passcodes().UseStepSigned
		if !byTime(a) {
			use = tx.Passcodes().UseCounterSigned // one click is one passcode: none comes twice (PUSH-13)
		}
		used, err := use(ctx, a.Tenant, a.ID, came.Step, came.Drift)
		if err != nil || !used {
			return push.PasscodeWrong, came, err
		}
		return push.PasscodeRight, came, nil
	}
	came, ok, err := beyond(ctx, tx, a, passcode)
	if err != nil || !ok {
		return push.PasscodeWrong, came, err
	}
	return push.PasscodeTooFar, came, nil
}

// recognise looks for the step, or counter, of a passcode that was typed, among
// those accepted and those spent: which of them it is, the update decides.
func recognise(tx *store.Tx, a identity.Authenticator, code string, lookAhead int64) (step, drift int64, ok bool) {
	if byTime(a) {
		return find(tx, a, code, inner)
	}
	params := otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}
	counter, ok := otp.MatchCounter(a.Seed, params, code, a.LastStep+1, lookAhead)
	if !ok && a.LastStep >= 0 {
		oldest := max(a.LastStep-spent, 0)
		counter, ok = otp.MatchCounter(a.Seed, params, code, oldest, a.LastStep-oldest)
	}
	return counter, 0, ok
}

// find looks for the step of a passcode within a window, and the drift that
// step shows.
func find(tx *store.Tx, a identity.Authenticator, code string, window int64) (step, drift int64, ok bool) {
	params := otp.Params{Digits: a.Digits, Period: a.Step, Algorithm: otp.Algorithm(a.Algorithm)}
	step, ok = otp.Match(a.Seed, params, code, tx.Now(), a.Drift, window)
	return step, step - otp.Step(params, tx.Now()), ok
}

// seeded returns those of a user's authenticators that make what was typed, with
// their seeds: the active ones, and those that a lock or an operator keeps from
// being active, to recognise what they make and refuse it.
func seeded(ctx context.Context, tx *store.Tx, tenant, user string, makes func(identity.Authenticator) bool) ([]identity.Authenticator, error) {
	all, err := store.Collect(tx.Authenticators().OfUser(ctx, tenant, user))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a identity.Authenticator) bool { return !makes(a) || !counts(a) || expired(a, tx.Now()) })
	for i, a := range all {
		if a, err = unlockLapsed(ctx, tx, a); err != nil {
			return nil, err
		}
		all[i] = a
		if all[i].Seed, err = tx.Authenticators().Seed(ctx, tenant, a.ID); err != nil {
			return nil, fmt.Errorf("authenticator: seed of %s: %w", a.Serial, err)
		}
	}
	return all, nil
}

// AnyPasscodes reports whether who has these could type a passcode at all, be it
// one that a lock refuses: a page must not ask for what nothing makes.
func AnyPasscodes(all []identity.Authenticator) bool {
	return slices.ContainsFunc(all, func(a identity.Authenticator) bool { return makesPasscodes(a) && counts(a) })
}

// makesPasscodes reports whether an authenticator makes passcodes to type: it
// does nothing but confirm else, or answers challenges.
func makesPasscodes(a identity.Authenticator) bool { return byTime(a) || byCounter(a) }

// byTime reports whether an authenticator makes passcodes by time.
func byTime(a identity.Authenticator) bool {
	return (a.Kind == identity.AppToken || a.Kind == identity.TOTP) && a.Step > 0
}

// byCounter reports whether an authenticator makes passcodes by counting them.
func byCounter(a identity.Authenticator) bool {
	app := a.Kind == identity.AppToken && a.Protocol != identity.PiPush && a.Step == 0
	return a.Kind == identity.HOTP || app && !answersChallenges(a)
}

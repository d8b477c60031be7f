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

// replayWindow is the number of counters of an HOTP authenticator, before the last
// used one, whose passcodes are recognised as replays and not counted as guesses.
const replayWindow = 10

// An Attempt is a passcode that a user typed, and its context.
type Attempt struct {
	Tenant      string
	User        string
	Application string         // id, for the event
	Journey     string         // id, for the event
	Typed       string         // as it was typed
	Rules       policy.Lockout // the tenant's present policy
	PIN         policy.ServerPIN
	From        templates.Origin
	ResyncFirst identity.Resync // the passcode that this one must follow; zero without a resynchronisation
	ResyncOnly  bool            // only a passcode that follows ResyncFirst counts, because policy refuses passcodes
	NoResync    bool            // the journey has used its resynchronisation: the outer window is not searched
}

// A Reason is why a passcode was not accepted. It is for events. Users get the same
// message for all reasons.
type Reason string

const (
	Wrong           Reason = "wrong"
	Replayed        Reason = "replay"           // right, but used before, or older than a used one
	Locked          Reason = "locked"           // right, but its authenticator is locked or suspended
	OuterWindow     Reason = "outer window"     // right, but so far off that the next one must confirm it (CRED-10)
	PasscodesLocked Reason = "passcodes locked" // not checked, because the user's passcodes are locked (CRED-12)
)

// A Result is the result of an attempt.
type Result struct {
	OK            bool
	Authenticator identity.Authenticator   // the owner of the passcode; zero with Wrong and Temporary
	Temporary     bool                     // it was a temporary passcode made by an operator
	Reason        Reason                   // empty if OK
	WrongPIN      bool                     // with Wrong: the passcode was right but the PIN with it was wrong
	ResyncFirst   identity.Resync          // with OuterWindow: what the next passcode must follow
	NowLocked     []identity.Authenticator // locked by this attempt; their users must be notified
}

// Check checks a typed passcode, counts it and writes its events. A wrong passcode is
// not an error: the transaction must be committed, so that it counts.
//
// While a user's passcodes are locked, nothing is checked (CRED-12). A right passcode
// is not used up then, and nobody learns that it was right.
func Check(ctx context.Context, tx *store.Tx, try Attempt) (Result, error) {
	count, err := beginAttempt(ctx, tx, try)
	if err != nil {
		return Result{}, err
	}
	if count.passcodesLocked {
		result := Result{Reason: PasscodesLocked}
		return result, record(ctx, tx, try, result)
	}
	all, err := loadWithSeeds(ctx, tx, try.Tenant, try.User, identity.Authenticator.MakesPasscodes)
	if err != nil {
		return Result{}, err
	}
	result, err := matchOwner(ctx, tx, all, try)
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
	result.NowLocked, err = count.finish(ctx, tx, all, try, result)
	return result, err
}

// matchOwner finds the owner of a passcode and uses the passcode up. It searches the
// inner windows first, then the outer ones, then a temporary passcode.
func matchOwner(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt) (Result, error) {
	code := otp.Canonical(try.Typed)
	result := Result{Reason: Wrong}
	var err error
	if !try.ResyncOnly {
		if result, err = match(ctx, tx, all, code, try); err != nil {
			return result, err
		}
	}
	if result.Reason == Wrong {
		wrongPIN := result.WrongPIN
		if result, err = matchOuter(ctx, tx, all, code, try); err != nil {
			return result, err
		}
		result.WrongPIN = wrongPIN && result.Reason == Wrong
	}
	if result.Reason == Wrong && !result.WrongPIN && !try.ResyncOnly {
		return useTemporary(ctx, tx, try, code)
	}
	return result, nil
}

// record writes the event of an attempt.
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
	case result.Reason == OuterWindow:
		e.Kind, e.Reason = audit.OuterWindow, ""
	case !result.OK:
		e.Kind = audit.PasscodeWrong
	}
	return tx.Event(ctx, e)
}

// match finds the owner of a passcode in the inner windows and uses the passcode up.
// If several authenticators have the same passcode, an unused one is preferred to a
// used one.
func match(ctx context.Context, tx *store.Tx, all []identity.Authenticator, code string, try Attempt) (Result, error) {
	result := Result{Reason: Wrong}
	for _, a := range all {
		pin, passcode := try.split(a, code)
		step, drift, ok := findPasscode(tx, a, passcode, try.Rules.LookAhead)
		if !ok {
			continue
		}
		right, err := checkServerPIN(ctx, tx, a, pin)
		switch {
		case err != nil:
			return result, err
		case !right:
			result.WrongPIN = true
			if err := useUpStep(ctx, tx, a, step); err != nil {
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
			return Result{OK: true, Authenticator: a}, recordPINUse(ctx, tx, a)
		}
		result.Authenticator, result.Reason = a, Replayed
	}
	return result, nil
}

// Approve checks the passcode in the signed approval of a push and uses it up. An app
// that answers challenges sends its response to the request's nonce instead. The time
// step used last may occur again, because the signed nonce makes the approval fresh.
// Nothing is counted, whether the passcode is right or wrong (CRED-11).
//
// A passcode from the outer window is right but not sufficient. It is recorded, so
// that it can begin only one resynchronisation, and returned, because the next
// passcode must follow it (PUSH-16).
func Approve(ctx context.Context, tx *store.Tx, a identity.Authenticator, nonce, passcode string) (push.Verdict, store.Passcode, error) {
	var came store.Passcode
	if a.Protocol == identity.PrivacyIDEAPush { // its app makes no passcodes
		return push.PasscodeWrong, came, nil
	}
	var err error
	if a.Seed, err = tx.Authenticators().Seed(ctx, a.Tenant, a.ID); err != nil {
		return push.PasscodeWrong, came, err
	}
	if a, err = unlockLapsed(ctx, tx, a); err != nil {
		return push.PasscodeWrong, came, err
	}
	if a.AnswersChallenges() {
		verdict, err := approveByResponse(ctx, tx, a, nonce, passcode)
		return verdict, came, err
	}
	rules, err := lockout(ctx, tx, a.Tenant)
	if err != nil {
		return push.PasscodeWrong, came, err
	}
	if came, ok := findInner(tx, a, passcode, rules.LookAhead); ok {
		use := tx.Passcodes().UseStepSigned
		if !a.TimeBased() {
			use = tx.Passcodes().UseCounterSigned // each approval needs a new passcode (PUSH-13)
		}
		used, err := use(ctx, a.Tenant, a.ID, came.Step, came.Drift)
		if err != nil || !used {
			return push.PasscodeWrong, came, err
		}
		return push.PasscodeRight, came, nil
	}
	came, ok, err := claimOuter(ctx, tx, a, passcode)
	if err != nil || !ok {
		return push.PasscodeWrong, came, err
	}
	return push.PasscodeTooFar, came, nil
}

// findPasscode finds the time step or counter of a typed passcode among the acceptable
// and the recently used ones. The update that uses it up decides which of them it is.
func findPasscode(tx *store.Tx, a identity.Authenticator, code string, lookAhead int64) (step, drift int64, ok bool) {
	if a.TimeBased() {
		return findStep(tx, a, code, innerWindow)
	}
	params := otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}
	counter, ok := otp.MatchCounter(a.Seed, params, code, a.LastStep+1, lookAhead)
	if !ok && a.LastStep >= 0 {
		oldest := max(a.LastStep-replayWindow, 0)
		counter, ok = otp.MatchCounter(a.Seed, params, code, oldest, a.LastStep-oldest)
	}
	return counter, 0, ok
}

// findStep finds the time step of a passcode within a window, and the drift that it
// implies.
func findStep(tx *store.Tx, a identity.Authenticator, code string, window int64) (step, drift int64, ok bool) {
	params := otp.Params{Digits: a.Digits, Period: a.Step, Algorithm: otp.Algorithm(a.Algorithm)}
	step, ok = otp.Match(a.Seed, params, code, tx.Now(), a.Drift, window)
	return step, step - otp.Step(params, tx.Now()), ok
}

// loadWithSeeds returns those of a user's authenticators that can have made what was
// typed, with their seeds. Locked and suspended ones are included, so that their
// passcodes are recognised and refused.
func loadWithSeeds(ctx context.Context, tx *store.Tx, tenant, user string, makes func(identity.Authenticator) bool) ([]identity.Authenticator, error) {
	all, err := store.Collect(tx.Authenticators().OfUser(ctx, tenant, user))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a identity.Authenticator) bool { return !makes(a) || !a.CountsAsEnrolled() || expired(a, tx.Now()) })
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

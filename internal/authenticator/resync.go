package authenticator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Windows (CRED-10). A passcode in the inner window is accepted. A passcode in the outer
// window is right, but the clock or counter must be set first, by the next passcode.
const (
	innerWindow        = 1   // time steps in either direction from the learned drift
	outerWindow        = 10  // steps
	outerCounterWindow = 100 // counters after the next one
)

// ResyncTimeout is the time within which the next passcode must follow one from the
// outer window. ResyncAttempts is the number of wrong passcodes allowed before it.
const (
	ResyncTimeout        = 5 * time.Minute
	ResyncAttempts int64 = 3
)

// matchOuter matches a passcode that is in no inner window: as the second passcode of a
// resynchronisation, or as the first one.
func matchOuter(ctx context.Context, tx *store.Tx, all []identity.Authenticator, code string, try Attempt) (Result, error) {
	result := Result{Reason: Wrong}
	if try.ResyncFirst.Authenticator != "" {
		for _, a := range all {
			if a.ID != try.ResyncFirst.Authenticator || a.State() != identity.Active {
				continue
			}
			pin, passcode := try.split(a, code)
			next, ok := follows(tx, a, passcode, try.ResyncFirst)
			if !ok {
				continue
			}
			if right, err := checkServerPIN(ctx, tx, a, pin); err != nil {
				return result, err
			} else if !right {
				continue
			}
			used, err := tx.Passcodes().UseStep(ctx, a.Tenant, a.ID, next.Step, next.Drift)
			if err != nil {
				return result, err
			}
			if used {
				return Result{OK: true, Authenticator: a}, recordPINUse(ctx, tx, a)
			}
		}
		return result, nil
	}
	if try.NoResync {
		return result, nil
	}
	for _, a := range all {
		if a.State() != identity.Active {
			continue
		}
		pin, passcode := try.split(a, code)
		right, err := checkServerPIN(ctx, tx, a, pin)
		if err != nil {
			return result, err
		}
		if !right {
			continue
		}
		far, ok, err := claimOuter(ctx, tx, a, passcode)
		if err != nil {
			return result, err
		}
		if ok {
			return Result{Authenticator: a, Reason: OuterWindow, ResyncFirst: NewResync(a.ID, far, tx.Now())}, nil
		}
	}
	return result, nil
}

// NewResync returns the beginning of a resynchronisation: a passcode from the outer
// window and the time at which it came.
func NewResync(authenticator string, far store.Passcode, came time.Time) identity.Resync {
	return identity.Resync{Authenticator: authenticator, Step: far.Step, Drift: far.Drift, Until: came.Add(ResyncTimeout)}
}

// findInner finds a passcode in the inner window of time steps or of unused counters.
func findInner(tx *store.Tx, a identity.Authenticator, code string, lookAhead int64) (store.Passcode, bool) {
	if a.TimeBased() {
		step, drift, ok := findStep(tx, a, code, innerWindow)
		return store.Passcode{Step: step, Drift: drift}, ok
	}
	counter, ok := otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, a.LastStep+1, lookAhead)
	return store.Passcode{Step: counter}, ok
}

// claimOuter finds a passcode in the outer window that is newer than any used one. It
// finds the same passcode only once a day, after which it has left the window, so that
// somebody who saw it typed cannot begin a resynchronisation with it.
func claimOuter(ctx context.Context, tx *store.Tx, a identity.Authenticator, code string) (store.Passcode, bool, error) {
	far, ok := findOuter(tx, a, code)
	if !ok {
		return far, false, nil
	}
	err := tx.UseOnce(ctx, a.Tenant, "outer window", fmt.Sprintf("%s %d", a.ID, far.Step), tx.Now().Add(24*time.Hour))
	if errors.Is(err, identity.Conflict) {
		return far, false, nil
	}
	return far, err == nil, err
}

// findOuter finds a passcode in the outer window that is newer than any used one.
func findOuter(tx *store.Tx, a identity.Authenticator, code string) (far store.Passcode, ok bool) {
	if a.TimeBased() {
		far.Step, far.Drift, ok = findStep(tx, a, code, outerWindow)
	} else {
		far.Step, ok = otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, a.LastStep+1, outerCounterWindow)
	}
	return far, ok && far.Step > a.LastStep
}

// follows reports whether a passcode is the second one of a resynchronisation. With
// time steps it must be later and imply the same drift, plus or minus one step. With
// counters it must be the very next one.
func follows(tx *store.Tx, a identity.Authenticator, code string, first identity.Resync) (store.Passcode, bool) {
	if !a.TimeBased() {
		counter, ok := otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, first.Step+1, 0)
		return store.Passcode{Step: counter}, ok
	}
	a.Drift = first.Drift
	step, drift, ok := findStep(tx, a, code, 1)
	return store.Passcode{Step: step, Drift: drift}, ok && step > first.Step
}

// Resynchronise sets the clock or counter of an authenticator by two consecutive
// passcodes in its outer window, and uses up both and all older ones. It is an
// operator's act, to whom the owner reads out the passcodes. If they are not
// consecutive, it returns an Invalid error and changes nothing.
//
// It also ends a lock caused by wrong passcodes: nobody guesses two consecutive ones,
// and an operator is involved. In a journey this would not end a lock (CRED-11), which
// must hold there whatever is typed.
func Resynchronise(ctx context.Context, tx *store.Tx, a identity.Authenticator, first, second string) error {
	if !a.MakesPasscodes() || !a.CountsAsEnrolled() || expired(a, tx.Now()) {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.state",
			Err: fmt.Errorf("authenticator: %s is %s, or makes no passcodes", a.Serial, a.State())}
	}
	a, err := unlockLapsed(ctx, tx, a)
	if err != nil {
		return err
	}
	if a.Seed, err = tx.Authenticators().Seed(ctx, a.Tenant, a.ID); err != nil {
		return err
	}
	at, ok := findOuter(tx, a, otp.Canonical(first))
	if ok {
		at, ok = follows(tx, a, otp.Canonical(second), NewResync(a.ID, at, tx.Now()))
	}
	if ok {
		ok, err = tx.Passcodes().SetClock(ctx, a.Tenant, a.ID, at)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return &identity.Error{Kind: identity.Invalid, Key: "error.confirm.wrong",
			Err: fmt.Errorf("%s did not make these two passcodes one after the other just now, or they were used", a.Serial)}
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorResync, "operator"); err != nil || a.LockedAt.IsZero() {
		return err
	}
	done, err := tx.Authenticators().Unlock(ctx, a.Tenant, a.ID)
	switch {
	case err != nil:
		return err
	case !done:
		return pinLocked(ctx, tx, a)
	}
	return recordUnlock(ctx, tx, a, "resynchronised")
}

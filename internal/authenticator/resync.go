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

// Windows (CRED-10). In the inner one a passcode is accepted; one from the outer
// is right, but the clock or the counter must be set first, by the next one.
const (
	inner        = 1   // steps either way of the drift learned for the app's clock
	outer        = 10  // steps
	outerCounter = 100 // counters beyond the next
)

// ResyncTime is how long after a passcode from the outer window the next one may
// come, and ResyncTries how many that are not it may come first.
const (
	ResyncTime        = 5 * time.Minute
	ResyncTries int64 = 3
)

// matchFar looks for a passcode where none of the inner windows has it: as the
// one that follows the first of a resynchronisation, or as such a first one.
func matchFar(ctx context.Context, tx *store.Tx, all []identity.Authenticator, code string, try Attempt) (Result, error) {
	result := Result{Reason: Wrong}
	if try.First.Authenticator != "" {
		for _, a := range all {
			if a.ID != try.First.Authenticator || a.State() != identity.Active {
				continue
			}
			pin, passcode := try.typed(a, code)
			next, ok := follows(tx, a, passcode, try.First)
			if !ok {
				continue
			}
			if right, err := pinRight(ctx, tx, a, pin); err != nil {
				return result, err
			} else if !right {
				continue
			}
			used, err := tx.Passcodes().UseStep(ctx, a.Tenant, a.ID, next.Step, next.Drift)
			if err != nil {
				return result, err
			}
			if used {
				return Result{OK: true, Authenticator: a}, pinUsed(ctx, tx, a)
			}
		}
		return result, nil
	}
	if try.Last {
		return result, nil
	}
	for _, a := range all {
		if a.State() != identity.Active {
			continue
		}
		pin, passcode := try.typed(a, code)
		right, err := pinRight(ctx, tx, a, pin)
		if err != nil {
			return result, err
		}
		if !right {
			continue
		}
		far, ok, err := beyond(ctx, tx, a, passcode)
		if err != nil {
			return result, err
		}
		if ok {
			return Result{Authenticator: a, Reason: TooFar, First: Resync(a.ID, far, tx.Now())}, nil
		}
	}
	return result, nil
}

// Resync is the beginning of a resynchronisation: a passcode from the outer
// window that came at a moment.
func Resync(authenticator string, far store.Passcode, came time.Time) identity.Resync {
	return identity.Resync{Authenticator: authenticator, Step: far.Step, Drift: far.Drift, Until: came.Add(ResyncTime)}
}

// within finds a passcode in the inner window, of time, or of counters not yet
// used.
func within(tx *store.Tx, a identity.Authenticator, code string, lookAhead int64) (store.Passcode, bool) {
	if byTime(a) {
		step, drift, ok := find(tx, a, code, inner)
		return store.Passcode{Step: step, Drift: drift}, ok
	}
	counter, ok := otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, a.LastStep+1, lookAhead)
	return store.Passcode{Step: counter}, ok
}

// beyond finds a passcode in the outer window, newer than any that was used. It
// is found once a day, by which time it has left the window: who saw it typed
// cannot begin with it again.
func beyond(ctx context.Context, tx *store.Tx, a identity.Authenticator, code string) (store.Passcode, bool, error) {
	far, ok := somewhere(tx, a, code)
	if !ok {
		return far, false, nil
	}
	err := tx.UseOnce(ctx, a.Tenant, "outer window", fmt.Sprintf("%s %d", a.ID, far.Step), tx.Now().Add(24*time.Hour))
	if errors.Is(err, identity.Conflict) {
		return far, false, nil
	}
	return far, err == nil, err
}

// somewhere finds a passcode in the outer window, newer than any that was used.
func somewhere(tx *store.Tx, a identity.Authenticator, code string) (far store.Passcode, ok bool) {
	if byTime(a) {
		far.Step, far.Drift, ok = find(tx, a, code, outer)
	} else {
		far.Step, ok = otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, a.LastStep+1, outerCounter)
	}
	return far, ok && far.Step > a.LastStep
}

// follows reports whether a passcode is the next after the first of a
// resynchronisation: of time, a later one that shows the same drift to a step;
// of counters, the very next.
func follows(tx *store.Tx, a identity.Authenticator, code string, first identity.Resync) (store.Passcode, bool) {
	if !byTime(a) {
		counter, ok := otp.MatchCounter(a.Seed, otp.Params{Digits: a.Digits, Algorithm: otp.Algorithm(a.Algorithm)}, code, first.Step+1, 0)
		return store.Passcode{Step: counter}, ok
	}
	a.Drift = first.Drift
	step, drift, ok := find(tx, a, code, 1)
	return store.Passcode{Step: step, Drift: drift}, ok && step > first.Step
}

// Resynchronise sets the clock or counter of an authenticator by two passcodes
// that it made one after the other, both within the outer window, and uses both
// up with every older one. It is an operator's, to whom the owner reads them out;
// two that do not follow one another are an Invalid, and change nothing.
//
// It also ends a lock that wrong passcodes brought about: two in a row are more
// than anybody guesses, and an operator stands by. In a journey they would not
// (CRED-11): there a lock must hold whatever is typed.
func Resynchronise(ctx context.Context, tx *store.Tx, a identity.Authenticator, first, second string) error {
	if !makesPasscodes(a) || !counts(a) || expired(a, tx.Now()) {
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
	at, ok := somewhere(tx, a, otp.Canonical(first))
	if ok {
		at, ok = follows(tx, a, otp.Canonical(second), Resync(a.ID, at, tx.Now()))
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
	if err := changed(ctx, tx, a, audit.AuthenticatorResync, "operator"); err != nil || a.LockedAt.IsZero() {
		return err
	}
	done, err := tx.Authenticators().Unlock(ctx, a.Tenant, a.ID)
	switch {
	case err != nil:
		return err
	case !done:
		return pinLocked(ctx, tx, a)
	}
	return unlocked(ctx, tx, a, "resynchronised")
}

package authenticator

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// An attemptCount is the counting of one attempt, from beginAttempt to finish.
type attemptCount struct {
	passcodesLocked bool                // the user's passcodes are locked, so nothing may be checked
	user            store.PasscodeCount // if wrong passcodes are counted per user
}

// beginAttempt counts an attempt in advance if wrong passcodes are counted per user.
// Concurrent attempts beyond the limit are therefore never checked.
func beginAttempt(ctx context.Context, tx *store.Tx, try Attempt) (attemptCount, error) {
	if try.Rules.Count != policy.CountByUser {
		return attemptCount{}, nil
	}
	c, ok, err := tx.Passcodes().Reserve(ctx, try.Tenant, try.User)
	return attemptCount{passcodesLocked: !ok, user: c}, err
}

// finish counts the result of an attempt against a user's authenticators, and returns
// those that it locked. A passcode that belongs to one authenticator is not a guess at
// the others, so it counts against none, even if it was not accepted.
func (c attemptCount) finish(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt, result Result) ([]identity.Authenticator, error) {
	perUser := try.Rules.Count == policy.CountByUser
	switch {
	case result.Reason == Wrong && perUser:
		return nil, c.lockPasscodes(ctx, tx, try)
	case result.Reason == Wrong:
		return countWrong(ctx, tx, all, try)
	case result.OK && perUser:
		return nil, tx.Passcodes().ResetCount(ctx, try.Tenant, try.User)
	case perUser:
		return nil, tx.Passcodes().Refund(ctx, try.Tenant, try.User)
	}
	return nil, nil
}

// lockPasscodes locks a user's passcodes if this wrong one reached the limit, for
// longer each time (CRED-12). Push and all other methods remain available.
func (c attemptCount) lockPasscodes(ctx context.Context, tx *store.Tx, try Attempt) error {
	if !try.Rules.LocksAuthenticator(c.user.Tries) {
		return nil
	}
	until := tx.Now().Add(try.Rules.PasscodeLockDuration(c.user.Locks))
	if err := tx.Passcodes().Lock(ctx, try.Tenant, try.User, until); err != nil {
		return err
	}
	err := tx.Event(ctx, audit.Event{Tenant: try.Tenant, Kind: audit.PasscodesLocked, User: try.User, Application: try.Application,
		Journey: try.Journey, Data: map[string]string{"until": until.UTC().Format(time.RFC3339)}})
	if err != nil {
		return err
	}
	return notifyPasscodesLocked(ctx, tx, try, until)
}

// countWrong counts a wrong passcode against every active authenticator and notifies
// users of those it locked. It updates them in the order of their ids, because in any
// other order two concurrent attempts could deadlock.
func countWrong(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt) ([]identity.Authenticator, error) {
	var until time.Time
	if try.Rules.UnlockAfter > 0 {
		until = tx.Now().Add(time.Duration(try.Rules.UnlockAfter) * time.Second)
	}
	var locked []identity.Authenticator
	for _, a := range slices.SortedFunc(slices.Values(all), func(a, b identity.Authenticator) int { return strings.Compare(a.ID, b.ID) }) {
		now, err := tx.Passcodes().CountInvalid(ctx, a.Tenant, a.ID, try.Rules.MaxWrongPasscodes, until)
		if err != nil {
			return nil, err
		}
		if !now {
			continue
		}
		locked = append(locked, a)
		tx.Notify(store.AuthenticatorTopic(a.ID))
		err = tx.Event(ctx, audit.Event{Tenant: try.Tenant, Kind: audit.AuthenticatorLocked, User: try.User, Application: try.Application,
			Journey: try.Journey, Authenticator: a.ID, Reason: "wrong passcodes", Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return nil, err
		}
	}
	if len(locked) == 0 {
		return nil, nil
	}
	return locked, notifyLocked(ctx, tx, locked, templates.LockedByPasscodes, until, try.From)
}

// UnlockLapsed ends locks whose time is over, in all tenants, in a batch, and returns
// the number. It only records what is already true: such an authenticator is read as
// unlocked, and its first use unlocks it too.
func UnlockLapsed(ctx context.Context, tx *store.Tx) (int, error) {
	lapsed, err := store.Collect(tx.Authenticators().LapsedLocks(ctx, 100))
	if err != nil {
		return 0, err
	}
	for _, a := range lapsed {
		if _, err := unlockLapsed(ctx, tx, a); err != nil {
			return 0, err
		}
	}
	return len(lapsed), nil
}

// unlockLapsed records that the lock of an authenticator is over if its time has
// passed, with event and mail, so that it can be used in this transaction.
func unlockLapsed(ctx context.Context, tx *store.Tx, a identity.Authenticator) (identity.Authenticator, error) {
	if a.UnlocksAt.IsZero() || tx.Now().Before(a.UnlocksAt) {
		return a, nil
	}
	done, err := tx.Authenticators().EndTemporaryLock(ctx, a.Tenant, a.ID)
	a.UnlocksAt = time.Time{}
	if err != nil || !done {
		return a, err
	}
	return a, recordUnlock(ctx, tx, a, "time")
}

// recordUnlock writes the event of an unlocked authenticator and notifies its users.
func recordUnlock(ctx context.Context, tx *store.Tx, a identity.Authenticator, reason string) error {
	if err := recordChange(ctx, tx, a, audit.AuthenticatorUnlock, reason); err != nil {
		return err
	}
	return notifyUnlocked(ctx, tx, a)
}

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

// A counting is an attempt between being let in and being settled.
type counting struct {
	paused bool                // the user's passcodes are locked: nothing is to be looked at
	user   store.PasscodeCount // where they are counted per user
}

// begin counts an attempt beforehand where wrong ones are counted per user: of
// many at the same moment none is looked at that the limit does not allow.
func begin(ctx context.Context, tx *store.Tx, try Attempt) (counting, error) {
	if try.Rules.Count != policy.CountByUser {
		return counting{}, nil
	}
	c, ok, err := tx.Passcodes().Reserve(ctx, try.Tenant, try.User)
	return counting{paused: !ok, user: c}, err
}

// end counts what came of an attempt at what a user has, and returns what that
// locked. The right one of somebody is no guess at the others': it counts against
// none, though it may let nobody in.
func (c counting) end(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt, result Result) ([]identity.Authenticator, error) {
	perUser := try.Rules.Count == policy.CountByUser
	switch {
	case result.Reason == Wrong && perUser:
		return nil, c.wrong(ctx, tx, try)
	case result.Reason == Wrong:
		return count(ctx, tx, all, try)
	case result.OK && perUser:
		return nil, tx.Passcodes().ResetCount(ctx, try.Tenant, try.User)
	case perUser:
		return nil, tx.Passcodes().Refund(ctx, try.Tenant, try.User)
	}
	return nil, nil
}

// wrong locks a user's passcodes if this wrong one reached the limit, for longer
// each time (CRED-12). Push and every other way stay open.
func (c counting) wrong(ctx context.Context, tx *store.Tx, try Attempt) error {
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
	return tellPasscodesLocked(ctx, tx, try, until)
}

// count counts a wrong passcode against every active authenticator, and tells of
// those it locked. They are taken in the order of their ids: in any other, two
// attempts at the same moment could each hold a row that the other waits for.
func count(ctx context.Context, tx *store.Tx, all []identity.Authenticator, try Attempt) ([]identity.Authenticator, error) {
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
	return locked, tellLocked(ctx, tx, locked, templates.LockedByPasscodes, until, try.From)
}

// UnlockLapsed ends locks of all tenants' authenticators whose time has come, a
// batch at a time, and returns how many. It only writes down what is so already:
// who is read after that time is read as unlocked, and who is used before this
// comes by is unlocked then.
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

// unlockLapsed writes down that the lock of an authenticator is over if its time
// has come, with its event and mail, so that it can be used in this transaction.
func unlockLapsed(ctx context.Context, tx *store.Tx, a identity.Authenticator) (identity.Authenticator, error) {
	if a.UnlocksAt.IsZero() || tx.Now().Before(a.UnlocksAt) {
		return a, nil
	}
	done, err := tx.Authenticators().EndTemporaryLock(ctx, a.Tenant, a.ID)
	a.UnlocksAt = time.Time{}
	if err != nil || !done {
		return a, err
	}
	return a, unlocked(ctx, tx, a, "time")
}

// unlocked writes the event of an unlocked authenticator and tells its users.
func unlocked(ctx context.Context, tx *store.Tx, a identity.Authenticator, reason string) error {
	if err := changed(ctx, tx, a, audit.AuthenticatorUnlock, reason); err != nil {
		return err
	}
	return tellUnlocked(ctx, tx, a)
}

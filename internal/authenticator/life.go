package authenticator

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Revoke ends an authenticator for good, for a reason such as "lost" or
// "operator". One that is revoked already stays so.
func Revoke(ctx context.Context, tx *store.Tx, a identity.Authenticator, reason string) error {
	done, err := tx.Authenticators().Revoke(ctx, a.Tenant, a.ID)
	if err != nil || !done {
		return err
	}
	if err := changed(ctx, tx, a, audit.AuthenticatorRevoked, reason); err != nil {
		return err
	}
	return takeBack(ctx, tx, a)
}

// takeBack ends what a revoked authenticator proved: in journeys under way, and
// for later, where its owners' devices were remembered. Its theft would
// otherwise live on (JRN-9).
func takeBack(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	for _, user := range users {
		if _, err := tx.Devices().ForgetAll(ctx, a.Tenant, user, "authenticator revoked"); err != nil {
			return err
		}
	}
	return takeBackHere(ctx, tx, a)
}

// takeBackHere ends what an authenticator proved in journeys under way, one of
// which may be about to add another authenticator with it.
func takeBackHere(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	for _, user := range users {
		if err := tx.Journeys().RevokeFactor(ctx, a.Tenant, user, a.ID); err != nil {
			return err
		}
	}
	return nil
}

// Unlock ends the lock that wrong passcodes brought about, and clears their
// count; and it ends the lock of push, which is its user's, and so all that
// user's authenticators' (PUSH-9). One that is locked in neither way is a
// Conflict, so that an operator who unlocks the wrong one notices.
func Unlock(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Unlock(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	if !done {
		if err := pinLocked(ctx, tx, a); err != nil {
			return err
		}
	}
	pushed, err := unlockPush(ctx, tx, a)
	switch {
	case err != nil:
		return err
	case !done && !pushed:
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.unlocked",
			Err: fmt.Errorf("authenticator: %s is not locked", a.Serial)}
	case !done:
		return nil
	}
	return unlocked(ctx, tx, a, "operator")
}

// unlockPush ends the lock of push of an authenticator's users, and reports
// whether there was one.
func unlockPush(ctx context.Context, tx *store.Tx, a identity.Authenticator) (bool, error) {
	if a.Push(tx.Now()) != identity.PushLocked {
		return false, nil
	}
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return false, err
	}
	for _, user := range users {
		if _, err := push.Unlock(ctx, tx, a.Tenant, user); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Lock locks an authenticator until somebody unlocks it, which no time does. Like
// one suspended it still counts as having one, so that neither opens a way into
// self-provisioning (ENR-1). One that is locked already, or that nobody has, is
// a Conflict.
func Lock(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Lock(ctx, a.Tenant, a.ID)
	if err := settle(ctx, tx, a, done, err, audit.AuthenticatorLocked); err != nil {
		return err
	}
	return tellLocked(ctx, tx, []identity.Authenticator{a}, templates.LockedByOperator, time.Time{}, templates.Origin{At: tx.Now()})
}

// Suspend keeps an authenticator from being used until it is resumed: its owner
// is away, or looks for it. What it proved in journeys under way is taken back.
// One that is suspended already, or that nobody has,
// is a Conflict.
func Suspend(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Suspend(ctx, a.Tenant, a.ID)
	if err := settle(ctx, tx, a, done, err, audit.AuthenticatorSuspended); err != nil {
		return err
	}
	return takeBackHere(ctx, tx, a)
}

// Resume ends a suspension. One that is not suspended is a Conflict.
func Resume(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Resume(ctx, a.Tenant, a.ID)
	return settle(ctx, tx, a, done, err, audit.AuthenticatorResumed)
}

// settle writes the event of what an operator changed, or says why nothing was.
func settle(ctx context.Context, tx *store.Tx, a identity.Authenticator, done bool, err error, kind audit.Kind) error {
	if err != nil {
		return err
	}
	if !done {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.state",
			Err: fmt.Errorf("authenticator: %s is %s", a.Serial, a.State())}
	}
	return changed(ctx, tx, a, kind, "operator")
}

// SetPush switches push on or off for an active authenticator (PUSH-8). On, it
// must be one that gets push: its platform is looked at as policy stands now.
// Where it may not, the error is a Forbidden whose cause is a push.Refusal.
func SetPush(ctx context.Context, tx *store.Tx, a identity.Authenticator, on bool) error {
	a, err := tx.Authenticators().Get(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	if a, err = unlockLapsed(ctx, tx, a); err != nil {
		return err
	}
	if a.State() != identity.Active {
		return forbidden("state")
	}
	reason := "off"
	if on {
		reason = "on"
		row, err := tx.Policies().Get(ctx, a.Tenant, policy.KindPlatforms)
		if err != nil {
			return err
		}
		platforms, err := policy.Read[policy.Platforms](row.Document)
		if err != nil {
			return fmt.Errorf("authenticator: %w", err)
		}
		if a.Kind != identity.AppToken || !platforms.PushOn(a.Platform) {
			return forbidden("push-not-allowed")
		}
	}
	done, err := tx.Authenticators().SetPush(ctx, a.Tenant, a.ID, on)
	if err != nil || !done {
		return err
	}
	return changed(ctx, tx, a, audit.AuthenticatorPush, reason)
}

func forbidden(code string) error {
	return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: &push.Refusal{Code: code}}
}

// changed writes the event of a change for each user the authenticator belongs
// to, and wakes who shows it.
func changed(ctx context.Context, tx *store.Tx, a identity.Authenticator, kind audit.Kind, reason string) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	tx.Notify(store.AuthenticatorTopic(a.ID))
	for _, user := range users {
		tx.Notify(store.UserTopic(user))
		err := tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: kind, User: user, Authenticator: a.ID, Reason: reason,
			Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return err
		}
	}
	return nil
}

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

// Revoke permanently ends an authenticator, for a reason such as "lost" or "operator".
// It does nothing if the authenticator is revoked already.
func Revoke(ctx context.Context, tx *store.Tx, a identity.Authenticator, reason string) error {
	done, err := tx.Authenticators().Revoke(ctx, a.Tenant, a.ID)
	if err != nil || !done {
		return err
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorRevoked, reason); err != nil {
		return err
	}
	return revokeProofs(ctx, tx, a)
}

// revokeProofs invalidates what a revoked authenticator has proved: in open journeys,
// and by remembered devices of its users. Otherwise a thief could continue to use
// them (JRN-9).
func revokeProofs(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	for _, user := range users {
		if _, err := tx.Devices().ForgetAll(ctx, a.Tenant, user, "authenticator revoked"); err != nil {
			return err
		}
	}
	return revokeOpenProofs(ctx, tx, a)
}

// revokeOpenProofs invalidates what an authenticator has proved in open journeys. One
// of them may be about to add another authenticator with it.
func revokeOpenProofs(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
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

// Unlock ends the lock caused by wrong passcodes and resets their count. It also ends
// the lock of push, which applies to all authenticators of its users (PUSH-9). If
// neither is locked, it returns a Conflict, so that an operator who has chosen the
// wrong authenticator notices.
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
	return recordUnlock(ctx, tx, a, "operator")
}

// unlockPush ends the lock of push of an authenticator's users, and reports whether
// there was one.
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

// Lock locks an authenticator until an operator unlocks it. Like a suspended one it
// still counts as an authenticator, so that locking does not open self-provisioning
// (ENR-1). It returns a Conflict if the authenticator is locked already or belongs to
// nobody.
func Lock(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Lock(ctx, a.Tenant, a.ID)
	if err := finishChange(ctx, tx, a, done, err, audit.AuthenticatorLocked); err != nil {
		return err
	}
	return notifyLocked(ctx, tx, []identity.Authenticator{a}, templates.LockedByOperator, time.Time{}, templates.Origin{At: tx.Now()})
}

// Suspend prevents an authenticator from being used until it is resumed, for example
// while its owner is away or looking for it. What it proved in open journeys is
// invalidated. It returns a Conflict if the authenticator is suspended already or
// belongs to nobody.
func Suspend(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Suspend(ctx, a.Tenant, a.ID)
	if err := finishChange(ctx, tx, a, done, err, audit.AuthenticatorSuspended); err != nil {
		return err
	}
	return revokeOpenProofs(ctx, tx, a)
}

// Resume ends a suspension. It returns a Conflict if the authenticator is not suspended.
func Resume(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Authenticators().Resume(ctx, a.Tenant, a.ID)
	return finishChange(ctx, tx, a, done, err, audit.AuthenticatorResumed)
}

// finishChange writes the event of an operator's change, or returns why nothing changed.
func finishChange(ctx context.Context, tx *store.Tx, a identity.Authenticator, done bool, err error, kind audit.Kind) error {
	if err != nil {
		return err
	}
	if !done {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.state",
			Err: fmt.Errorf("authenticator: %s is %s", a.Serial, a.State())}
	}
	return recordChange(ctx, tx, a, kind, "operator")
}

// SetPush switches push on or off for an active authenticator (PUSH-8). Switching it on
// requires a platform that gets push under the present policy. If it is not allowed,
// the error is a Forbidden that wraps a push.Refusal.
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
	return recordChange(ctx, tx, a, audit.AuthenticatorPush, reason)
}

func forbidden(code string) error {
	return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: &push.Refusal{Code: code}}
}

// recordChange writes the event of a change for each user of the authenticator, and
// notifies the pages that show it.
func recordChange(ctx context.Context, tx *store.Tx, a identity.Authenticator, kind audit.Kind, reason string) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	tx.Notify(store.AuthenticatorTopic(a.ID))
	for _, user := range users {
		tx.Notify(store.UserTopic(user))
		if reason != "on" { // switching push on takes nothing away
			if err := push.NotifyWaiting(ctx, tx, a.Tenant, user); err != nil {
				return err
			}
		}
		err := tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: kind, User: user, Authenticator: a.ID, Reason: reason,
			Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return err
		}
	}
	return nil
}

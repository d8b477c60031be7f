package enroll

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Finish makes the pending authenticator of an activation active, under a name, which
// gets a number if another of the user's has it, and with push as its user chose. It
// revokes the one whose place it takes, uses up the invitation it came of, and writes
// the event and the mail. The journey that issued the activation is woken. Where the
// activation, what its journey was begun with, or its invitation is over, the error is
// a Conflict.
func Finish(ctx context.Context, tx *store.Tx, act store.Activation, user identity.User, name string, push bool) error {
	if err := stands(ctx, tx, act); err != nil {
		return err
	}
	name, err := authenticator.FreeName(ctx, tx.Reader, act.Tenant, act.User, name, act.Authenticator, act.Replaces)
	if err != nil {
		return err
	}
	if err := finish(ctx, tx, act, name); err != nil {
		return err
	}
	app, err := tx.Authenticators().Get(ctx, act.Tenant, act.Authenticator)
	if err != nil {
		return err
	}
	if err := supersede(ctx, tx, act); err != nil {
		return err
	}
	if push {
		if err := authenticator.SetPush(ctx, tx, app, true); err != nil {
			return err
		}
	}
	return Announce(ctx, tx, act.Journey, user, app, templates.Origin{IP: tx.Who().IP, At: tx.Now()}, act.Language,
		audit.Event{Kind: audit.EnrollFinished,
			Data: map[string]string{"activation": act.ID, "platform": string(app.Platform), "push": strconv.FormatBool(push)}})
}

// Adopt uses an activation up for a key, if the app has one, and makes an active
// authenticator of it. Of two at once one wins; the other's error is a Conflict.
func Adopt(ctx context.Context, tx *store.Tx, act store.Activation, a identity.Authenticator, thumbprint string) error {
	if err := stands(ctx, tx, act); err != nil {
		return err
	}
	won, err := tx.Activations().Use(ctx, act, thumbprint, a.ID)
	if err != nil {
		return err
	}
	if !won {
		return over(act)
	}
	if a.Name, err = authenticator.FreeName(ctx, tx.Reader, act.Tenant, act.User, a.Name, a.ID, act.Replaces); err != nil {
		return err
	}
	if err := tx.Authenticators().Add(ctx, a, act.User); err != nil {
		return err
	}
	act.Authenticator = a.ID
	return finish(ctx, tx, act, a.Name)
}

// Announce does what [authenticator.Added] does for an authenticator that came of
// a journey, and uses up the journey's invitation. A Conflict says that the
// invitation is not good any more.
func Announce(ctx context.Context, tx *store.Tx, journey string, user identity.User, a identity.Authenticator, from templates.Origin, lang string, e audit.Event) error {
	if err := consumeInvitation(ctx, tx, journey, user, a); err != nil {
		return err
	}
	return authenticator.Added(ctx, tx, journey, user, a, from, lang, e)
}

// stands returns a Conflict where what an activation was begun with no longer holds. A
// further authenticator is not made once the factor its journey was begun with was
// taken back, with its session or because it was reported lost: whoever held the one
// would come back with the other. Nor is it once the person left.
func stands(ctx context.Context, tx *store.Tx, act store.Activation) error {
	if act.Journey == "" {
		return nil
	}
	j, err := tx.Journeys().Get(ctx, act.Tenant, act.Journey)
	if err != nil {
		return err
	}
	if j.Adding && (!j.HasSecondFactor() || j.Outcome == identity.Cancelled) {
		return over(act)
	}
	return nil
}

// finish makes an activation's pending authenticator active.
func finish(ctx context.Context, tx *store.Tx, act store.Activation, name string) error {
	done, err := tx.Activations().Finish(ctx, act, name, tx.Now().Add(-PendingLife))
	if err == nil && !done {
		err = over(act)
	}
	return err
}

// supersede ends the authenticator whose place a new one takes, in the transaction in
// which that is ready. One that was revoked or suspended meanwhile, by somebody who
// did not want it used, takes the new one with it: the error is a Conflict.
func supersede(ctx context.Context, tx *store.Tx, act store.Activation) error {
	if act.Replaces == "" {
		return nil
	}
	old, err := tx.Authenticators().Get(ctx, act.Tenant, act.Replaces)
	if err != nil {
		return err
	}
	if state := old.State(); state != identity.Active && state != identity.Locked {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf("%s is %s by now", old.Serial, state)}
	}
	return authenticator.Revoke(ctx, tx, old, "replaced")
}

// over is the error for an activation that came too late.
func over(act store.Activation) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: errors.New("enroll: activation " + act.ID + " is over")}
}

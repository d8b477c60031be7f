package appapi

import (
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// finish makes the pending authenticator active: the app has asked what it had
// to ask. The journey that issued the activation is woken and goes on by itself
// (ENR-10, ENR-11).
func (a *API) finish(ctx context.Context, m message) (any, error) {
	in, err := readSettings(m.body)
	if err != nil {
		return nil, err
	}
	if in.Push == nil {
		return nil, malformed(errors.New("push is needed"))
	}
	err = a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		act, err := tx.Activations().OfAuthenticator(ctx, app.Tenant, app.ID)
		if errors.Is(err, identity.NotFound) {
			return voidedPending()
		}
		if err != nil {
			return err
		}
		if !act.FinishedAt.IsZero() {
			if app.State() == identity.Revoked {
				return voidedPending()
			}
			return nil // a repetition, whose first answer was lost
		}
		if *in.Push && !act.PushAllowed {
			return pushNotAllowed()
		}
		user, err := tx.Users().Get(ctx, act.Tenant, act.User)
		if err != nil {
			return err
		}
		if !user.Enabled() {
			return voidedPending()
		}
		if err := chosenPIN(ctx, tx, app); err != nil {
			return err
		}
		err = enroll.Finish(ctx, tx, act, user, in.name(app.Name), *in.Push)
		if errors.Is(err, identity.Conflict) {
			return voidedPending()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

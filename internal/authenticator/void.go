package authenticator

import (
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// VoidActivation voids a user's open activation and its pending authenticator.
func VoidActivation(ctx context.Context, tx *store.Tx, tenant, user, reason string) error {
	a, ok, err := tx.Activations().Void(ctx, tenant, user)
	if err != nil || !ok {
		return err
	}
	return ActivationVoided(ctx, tx, a, reason)
}

// ActivationVoided writes the event of an activation that was voided, and notifies
// the page that shows it.
func ActivationVoided(ctx context.Context, tx *store.Tx, a store.Activation, reason string) error {
	if a.Journey != "" {
		tx.Notify(store.JourneyTopic(a.Journey))
	}
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollVoided, Tenant: a.Tenant, User: a.User, Authenticator: a.Authenticator,
		Journey: a.Journey, Reason: reason, Data: map[string]string{"activation": a.ID}})
}

// NewSerial returns a serial no authenticator of the tenant has: what people
// read out to a help desk, such as LK-7GQK-M3TA.
func NewSerial(ctx context.Context, tx *store.Tx, tenant string) (string, error) {
	for range 5 {
		serial := "LK-" + otp.ShowSpelled(otp.NewSpelled(8), 4)
		switch _, err := tx.Authenticators().BySerial(ctx, tenant, serial); {
		case errors.Is(err, identity.NotFound):
			return serial, nil
		case err != nil:
			return "", err
		}
	}
	return "", errors.New("authenticator: no free serial in five tries")
}

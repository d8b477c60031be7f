package notify

import (
	"context"
	"encoding/base64"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// PublicKey returns the installation's public VAPID key in base64url, which browsers
// need to subscribe.
func (nt *Notifier) PublicKey(ctx context.Context) (string, error) {
	public, _, err := nt.DB.VAPID().Public(ctx)
	return base64.RawURLEncoding.EncodeToString(public), err
}

// Parse reads the values of a browser's PushSubscription. The error is
// webpush.ErrEndpoint if the endpoint does not belong to an allowed service.
func (nt *Notifier) Parse(endpoint, p256dh, auth string) (webpush.Subscription, error) {
	return webpush.Parse(endpoint, p256dh, auth, nt.Services)
}

// Subscribe stores a subscription of an authenticator and replaces any it had.
func Subscribe(ctx context.Context, tx *store.Tx, a identity.Authenticator, s webpush.Subscription) error {
	done, err := tx.Subscriptions().Set(ctx, a.Tenant, a.ID, s)
	if err != nil || !done {
		return err
	}
	return recordChange(ctx, tx, a, "subscribed")
}

// Unsubscribe ends the subscription of an authenticator, if it has one.
func Unsubscribe(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Subscriptions().Remove(ctx, a.Tenant, a.ID)
	if err != nil || !done {
		return err
	}
	return recordChange(ctx, tx, a, "unsubscribed")
}

// recordChange writes the event of a subscription that began or ended, for each user
// of the authenticator, and notifies the pages that show it.
func recordChange(ctx context.Context, tx *store.Tx, a identity.Authenticator, how string) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	tx.Notify(store.AuthenticatorTopic(a.ID))
	for _, user := range users {
		if err := tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: audit.AuthenticatorPush, User: user, Authenticator: a.ID,
			Reason: how, Data: map[string]string{"serial": a.Serial}}); err != nil {
			return err
		}
	}
	return nil
}

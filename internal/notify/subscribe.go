package notify

import (
	"context"
	"encoding/base64"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// Key is what a browser subscribes with: the public part of the installation's
// key of Web Push, in base64url.
func (b *Bell) Key(ctx context.Context) (string, error) {
	public, _, err := b.DB.VAPID().Public(ctx)
	return base64.RawURLEncoding.EncodeToString(public), err
}

// Parse reads a subscription as a browser's PushSubscription has it. An endpoint
// at none of our services is a webpush.ErrEndpoint.
func (b *Bell) Parse(endpoint, p256dh, auth string) (webpush.Subscription, error) {
	return webpush.Parse(endpoint, p256dh, auth, b.Services)
}

// Subscribe gives an authenticator a subscription, in place of any it had.
func Subscribe(ctx context.Context, tx *store.Tx, a identity.Authenticator, s webpush.Subscription) error {
	done, err := tx.Subscriptions().Set(ctx, a.Tenant, a.ID, s)
	if err != nil || !done {
		return err
	}
	return changed(ctx, tx, a, "subscribed")
}

// Unsubscribe ends the subscription of an authenticator, if it has one.
func Unsubscribe(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	done, err := tx.Subscriptions().Remove(ctx, a.Tenant, a.ID)
	if err != nil || !done {
		return err
	}
	return changed(ctx, tx, a, "unsubscribed")
}

// changed writes the event of a subscription that began or ended, for each user
// of its authenticator, and wakes who shows it.
func changed(ctx context.Context, tx *store.Tx, a identity.Authenticator, how string) error {
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

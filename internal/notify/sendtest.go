package notify

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// testLifetime is the time within which a test notification must arrive. Nobody
// watches the device for longer.
const testLifetime = time.Minute

// SendTest sends a test notification to an authenticator of a user and waits for the
// push service's answer. With an empty Failure the push service has accepted the
// message, which does not mean that it arrived. expires is the time until which it
// may arrive.
func (nt *Notifier) SendTest(ctx context.Context, a identity.Authenticator, user string) (why Failure, expires time.Time, err error) {
	expires = nt.DB.Now().Add(testLifetime)
	s, err := nt.DB.Subscriptions().Get(ctx, a.Tenant, a.ID)
	if errors.Is(err, identity.NotFound) {
		return None, expires, nil
	}
	if err != nil {
		return "", expires, err
	}
	l := outgoing{subscription: s, topic: topic(test, a.ID), expires: expires}
	if l.message, err = nt.testMessage(ctx, a, user, expires); err != nil {
		return "", expires, err
	}
	sent, err := nt.send(ctx, l)
	if err != nil {
		return "", expires, err
	}
	if ctx.Err() != nil {
		return "", expires, ctx.Err() // the client has disconnected, which says nothing about the push service
	}
	return sent.failure, expires, nt.DB.InTx(context.WithoutCancel(ctx), system, func(tx *store.Tx) error {
		return nt.recordResult(context.WithoutCancel(ctx), tx, s, sent)
	})
}

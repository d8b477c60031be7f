package notify

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// trialLife is how long a test notification may be on its way. Whoever pressed
// the button looks at the device that long at most.
const trialLife = time.Minute

// Trial rings an authenticator of a user to see whether that works, and waits
// for what the push service says: an empty Failure means that it took the
// message, which is not yet to say that it arrived. expires is until when it
// may.
func (b *Bell) Trial(ctx context.Context, a identity.Authenticator, user string) (why Failure, expires time.Time, err error) {
	expires = b.DB.Now().Add(trialLife)
	s, err := b.DB.Subscriptions().Get(ctx, a.Tenant, a.ID)
	if errors.Is(err, identity.NotFound) {
		return None, expires, nil
	}
	if err != nil {
		return "", expires, err
	}
	l := letter{subscription: s, topic: topic(test, a.ID), expires: expires}
	if l.message, err = b.trial(ctx, a, user, expires); err != nil {
		return "", expires, err
	}
	sent, err := b.send(ctx, l)
	if err != nil {
		return "", expires, err
	}
	if ctx.Err() != nil {
		return "", expires, ctx.Err() // who asked has left; of the push service this says nothing
	}
	return sent.failure, expires, b.DB.InTx(context.WithoutCancel(ctx), system, func(tx *store.Tx) error {
		return b.note(context.WithoutCancel(ctx), tx, s, sent)
	})
}

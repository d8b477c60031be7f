package enroll

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// announce does what [authenticator.Added] does for an authenticator that came of
// a journey, and uses up the journey's invitation. A Conflict says that the
// invitation is not good any more.
func announce(ctx context.Context, tx *store.Tx, journey string, user identity.User, a identity.Authenticator, from templates.Origin, lang string, e audit.Event) error {
	if err := consumeInvitation(ctx, tx, journey, user, a); err != nil {
		return err
	}
	return authenticator.Added(ctx, tx, journey, user, a, from, lang, e)
}

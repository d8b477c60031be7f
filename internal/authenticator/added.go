package authenticator

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Added does what every new authenticator of a user brings with it, however it
// came: an operator's permit to enrol again is used up, the pages that wait are
// notified, the event e is written, and the user is told by mail, since somebody
// else may have added it. journey is the one it came of, or empty. One that policy
// does not allow is a Conflict.
func Added(ctx context.Context, tx *store.Tx, journey string, user identity.User, a identity.Authenticator, from templates.Origin, lang string, e audit.Event) error {
	// The user's row is held from here to the end: of two that become somebody's at
	// once, the second is counted with the first.
	if err := tx.Users().SetEnrolled(ctx, user.Tenant, user.ID); err != nil {
		return err
	}
	if err := CheckLimits(ctx, tx, user, a.Kind); err != nil {
		return err
	}
	tx.Notify(store.UserTopic(user.ID))
	if journey != "" {
		tx.Notify(store.JourneyTopic(journey))
	}
	e.Tenant, e.User, e.Authenticator, e.Journey = user.Tenant, user.ID, a.ID, journey
	if err := tx.Event(ctx, e); err != nil || mail.CheckAddress(user.Mail) != nil {
		return err
	}
	return mail.Queue(ctx, tx, mail.Message{
		Tenant: user.Tenant, To: user.Mail, Language: lang,
		Mail:   templates.AuthenticatorAdded{Name: user.Name, Device: a.Name, Origin: from},
		Dedupe: "added " + a.ID, Expires: tx.Now().Add(24 * time.Hour),
	})
}

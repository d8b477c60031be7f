package authenticator

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// maxName is the maximum number of characters of an authenticator's name.
const maxName = 64

// OfUser returns one of a user's authenticators by its id. For another user's, a
// revoked and a pending one the error is NotFound, so that ids reveal nothing about
// other users.
func OfUser(ctx context.Context, r store.Reader, u identity.User, id string) (identity.Authenticator, error) {
	for a, err := range r.Authenticators().OfUser(ctx, u.Tenant, u.ID) {
		if err != nil {
			return a, err
		}
		if a.ID == id && a.State() != identity.Pending {
			return a, nil
		}
	}
	return identity.Authenticator{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound",
		Err: fmt.Errorf("authenticator %q of user %s", id, u.ID)}
}

// Rename changes an authenticator's name. An unsuitable name is an Invalid error.
func Rename(ctx context.Context, tx *store.Tx, a identity.Authenticator, typed string) error {
	name := identity.CleanTyped(typed)
	if name == "" || utf8.RuneCountInString(name) > maxName {
		return &identity.Error{Kind: identity.Invalid, Key: "error.authenticator.name"}
	}
	if name == a.Name {
		return nil
	}
	if err := tx.Authenticators().Rename(ctx, a.Tenant, a.ID, name); err != nil {
		return err
	}
	return recordChange(ctx, tx, a, audit.AuthenticatorRenamed, "")
}

// SwitchPush is [SetPush] by the owner outside the app. The owner is notified by mail,
// because nobody would notice requests any more if somebody else switched push off.
func SwitchPush(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, on bool, from templates.Origin) error {
	if err := SetPush(ctx, tx, a, on); err != nil {
		return err
	}
	what := templates.PushTurnedOff
	if on {
		what = templates.PushTurnedOn
	}
	return notifyChange(ctx, tx, u, a, what, from)
}

// ReportLost revokes an authenticator that its owner has lost. It takes effect at once
// and asks for nothing that could be lost as well.
func ReportLost(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, from templates.Origin) error {
	if err := Revoke(ctx, tx, a, "lost"); err != nil {
		return err
	}
	return notifyChange(ctx, tx, u, a, templates.ReportedLost, from)
}

func notifyChange(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, what templates.Change, from templates.Origin) error {
	return queueMail(ctx, tx, u, templates.AuthenticatorChanged{Name: u.Name, Device: a.Name, What: what, Passkey: a.Kind == identity.Passkey, Origin: from})
}

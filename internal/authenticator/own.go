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

// maxName is the most characters an authenticator is called by.
const maxName = 64

// Own returns one of a user's authenticators by its id. Another person's, one
// that is revoked, and one still being set up are a NotFound alike: an id in an
// address tells nothing of what others have.
func Own(ctx context.Context, r store.Reader, u identity.User, id string) (identity.Authenticator, error) {
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

// Rename gives an authenticator another name; what cannot be one is an Invalid.
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
	return changed(ctx, tx, a, audit.AuthenticatorRenamed, "")
}

// TurnPush is [SetPush] by the owner outside the app, who is told by mail:
// where push is off, nobody notices a request any more.
func TurnPush(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, on bool, from templates.Origin) error {
	if err := SetPush(ctx, tx, a, on); err != nil {
		return err
	}
	what := templates.PushTurnedOff
	if on {
		what = templates.PushTurnedOn
	}
	return tellOfChange(ctx, tx, u, a, what, from)
}

// ReportLost revokes an authenticator its owner has lost, at once. It asks for
// nothing that could be lost with it.
func ReportLost(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, from templates.Origin) error {
	if err := Revoke(ctx, tx, a, "lost"); err != nil {
		return err
	}
	return tellOfChange(ctx, tx, u, a, templates.ReportedLost, from)
}

func tellOfChange(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, what templates.Change, from templates.Origin) error {
	return tell(ctx, tx, u, templates.AuthenticatorChanged{Name: u.Name, Device: a.Name, What: what, Origin: from})
}

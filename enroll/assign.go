package enroll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Assign gives an imported hardware token that nobody has to a user, who is told
// by mail; where policy lets tokens be shared, one that somebody has too (CRED-15):
// its passcodes are good for each of them, and each for one login, and a wrong one
// of any of them counts against it. A passcode it shows, if one is given, proves that the right token is in
// somebody's hand, and sets its clock or counter; a wrong one is an Invalid, and
// the token stays nobody's. One that somebody has, that was not imported or has
// expired is a Conflict.
func Assign(ctx context.Context, tx *store.Tx, a identity.Authenticator, user identity.User, passcode string) error {
	if !a.ExpiresAt.IsZero() && !tx.Now().Before(a.ExpiresAt) {
		return cannot("%s expired on %s", a.Serial, a.ExpiresAt.Format(time.DateOnly))
	}
	// What the user had begun to enrol alone is void: that way is for who has no
	// authenticator (ENR-1).
	if err := void(ctx, tx, user.Tenant, user.ID, "replaced"); err != nil {
		return err
	}
	done, err := tx.AssignAuthenticator(ctx, a.Tenant, a.ID, user.ID)
	if err != nil {
		return err
	}
	if !done {
		rules, err := authenticator.ReadCredentials(ctx, tx, a.Tenant)
		if err != nil {
			return err
		}
		if !rules.Shared {
			return cannot("%s is no hardware token that nobody has", a.Serial)
		}
		if err := tx.HoldAuthenticator(ctx, a.Tenant, a.ID); err != nil { // nobody takes it away meanwhile
			return err
		}
		if done, err = tx.ShareAuthenticator(ctx, a.Tenant, a.ID, user.ID); err != nil {
			return err
		}
		if !done {
			return cannot("%s is no hardware token, is revoked, or is %s's already", a.Serial, user.Name)
		}
	}
	if passcode != "" {
		if err := authenticator.Prove(ctx, tx, a, passcode); err != nil {
			return err
		}
	}
	return announce(ctx, tx, "", user, a, templates.Origin{At: tx.Now()}, user.Language,
		audit.Event{Kind: audit.AuthenticatorAssigned, Data: map[string]string{"serial": a.Serial, "kind": string(a.Kind)}})
}

// Unassign takes an imported hardware token from whoever has it: it is inactive,
// and can be given to somebody else. One that was set up in another way is a
// Conflict: its seed or key is in somebody's app, and whoever had it next would
// share it; that one is revoked.
func Unassign(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	users, err := tx.UsersOf(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	done, err := tx.UnassignAuthenticator(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	if !done {
		return cannot("%s is no hardware token that somebody has; anything else is revoked", a.Serial)
	}
	tx.Wake(store.AuthenticatorTopic(a.ID))
	for _, user := range users {
		tx.Wake(store.UserTopic(user))
		err := tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: audit.AuthenticatorUnassigned, User: user, Authenticator: a.ID,
			Reason: "operator", Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return err
		}
	}
	return nil
}

// UnassignFrom takes an imported hardware token from one user. Others who share it
// keep it; from the last one it is taken as by [Unassign].
func UnassignFrom(ctx context.Context, tx *store.Tx, a identity.Authenticator, user identity.User) error {
	// Two who share it and are taken off it at once must not both be the one that
	// leaves it with the other.
	if err := tx.HoldAuthenticator(ctx, a.Tenant, a.ID); err != nil {
		return err
	}
	users, err := tx.UsersOf(ctx, a.Tenant, a.ID)
	switch {
	case err != nil:
		return err
	case !slices.Contains(users, user.ID):
		return cannot("%s has no %s", user.Name, a.Serial)
	case len(users) == 1:
		return Unassign(ctx, tx, a)
	}
	done, err := tx.UnshareAuthenticator(ctx, a.Tenant, a.ID, user.ID)
	if err != nil {
		return err
	}
	if !done {
		return cannot("%s is no hardware token that %s shares", a.Serial, user.Name)
	}
	tx.Wake(store.AuthenticatorTopic(a.ID))
	tx.Wake(store.UserTopic(user.ID))
	return tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: audit.AuthenticatorUnassigned, User: user.ID, Authenticator: a.ID,
		Reason: "operator", Data: map[string]string{"serial": a.Serial}})
}

func cannot(format string, args ...any) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf(format, args...)}
}

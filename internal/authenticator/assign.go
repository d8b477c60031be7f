package authenticator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Assign gives an imported hardware token to a user, who is told by mail. The token
// belongs to nobody yet, or policy lets tokens be shared (CRED-15): then its
// passcodes are good for each of its users, each for one login, and a wrong one of
// any of them counts against it.
//
// A passcode that the token shows, if one is given, proves that the operator has
// the right token in hand, and sets its clock or counter. A wrong one is an
// Invalid, and nothing changes. A token that somebody has, that was not imported or
// that has expired is a Conflict.
func Assign(ctx context.Context, tx *store.Tx, a identity.Authenticator, user identity.User, passcode string) error {
	if !a.ExpiresAt.IsZero() && !tx.Now().Before(a.ExpiresAt) {
		return conflict("%s expired on %s", a.Serial, a.ExpiresAt.Format(time.DateOnly))
	}
	// What the user had begun to enrol alone is void: self-provisioning is for users
	// without an authenticator (ENR-1).
	if err := VoidActivation(ctx, tx, user.Tenant, user.ID, "replaced"); err != nil {
		return err
	}
	done, err := tx.Authenticators().Assign(ctx, a.Tenant, a.ID, user.ID)
	if err != nil {
		return err
	}
	if !done {
		rules, err := ReadCredentials(ctx, tx.Reader, a.Tenant)
		if err != nil {
			return err
		}
		if !rules.Shared {
			return conflict("%s is no hardware token that nobody has", a.Serial)
		}
		if err := tx.Authenticators().Acquire(ctx, a.Tenant, a.ID); err != nil { // nobody takes it away meanwhile
			return err
		}
		if done, err = tx.Authenticators().Share(ctx, a.Tenant, a.ID, user.ID); err != nil {
			return err
		}
		if !done {
			return conflict("%s is no hardware token, is revoked, or is %s's already", a.Serial, user.Name)
		}
	}
	if passcode != "" {
		if err := VerifyPossession(ctx, tx, a, passcode); err != nil {
			return err
		}
	}
	return Added(ctx, tx, "", user, a, templates.Origin{At: tx.Now()}, user.Language,
		audit.Event{Kind: audit.AuthenticatorAssigned, Data: map[string]string{"serial": a.Serial, "kind": string(a.Kind)}})
}

// Unassign takes an imported hardware token from all its users: it is inactive then,
// and can be given to somebody else. An authenticator that was set up in another
// way is a Conflict: its seed or key is in somebody's app, and its next user would
// share it with them. Such a one is revoked instead.
func Unassign(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	done, err := tx.Authenticators().Unassign(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	if !done {
		return conflict("%s is no hardware token that somebody has; anything else is revoked", a.Serial)
	}
	tx.Notify(store.AuthenticatorTopic(a.ID))
	for _, user := range users {
		tx.Notify(store.UserTopic(user))
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
	// If both of two users who share it are taken off it at once, one of the two
	// acts must see that nobody is left.
	if err := tx.Authenticators().Acquire(ctx, a.Tenant, a.ID); err != nil {
		return err
	}
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	switch {
	case err != nil:
		return err
	case !slices.Contains(users, user.ID):
		return conflict("%s has no %s", user.Name, a.Serial)
	case len(users) == 1:
		return Unassign(ctx, tx, a)
	}
	done, err := tx.Authenticators().Unshare(ctx, a.Tenant, a.ID, user.ID)
	if err != nil {
		return err
	}
	if !done {
		return conflict("%s is no hardware token that %s shares", a.Serial, user.Name)
	}
	tx.Notify(store.AuthenticatorTopic(a.ID))
	tx.Notify(store.UserTopic(user.ID))
	return tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: audit.AuthenticatorUnassigned, User: user.ID, Authenticator: a.ID,
		Reason: "operator", Data: map[string]string{"serial": a.Serial}})
}

func conflict(format string, args ...any) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf(format, args...)}
}

// Holder returns the user of an app, which belongs to one alone. Where it belongs to
// nobody the error is a NotFound.
func Holder(ctx context.Context, r store.Reader, a identity.Authenticator) (identity.User, error) {
	ids, err := r.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return identity.User{}, err
	}
	if len(ids) == 0 {
		return identity.User{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("authenticator %s belongs to nobody", a.Serial)}
	}
	return r.Users().Get(ctx, a.Tenant, ids[0])
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Remove erases a user for good: all that is open ends, authenticators nobody
// else has are revoked, and what tells of the person goes from every row, the
// events' too. Events keep what happened. The name is free afterwards.
func (d *Directory) Remove(ctx context.Context, who identity.Principal, tenant, user string) (store.Belongings, error) {
	var gone store.Belongings
	_, err := d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) (err error) {
		if gone, err = tx.Users().Belongings(ctx, tenant, u.ID); err != nil {
			return err
		}
		ended, err := tx.Users().RevokeAllAccess(ctx, tenant, u.ID)
		if err != nil {
			return err
		}
		if err := tx.Users().Remove(ctx, u); err != nil {
			return err
		}
		// After the erasure: who revoked them is no datum of the person.
		if err := revokeAll(ctx, tx, u); err != nil {
			return err
		}
		data := counted(ended)
		data["authenticators"], data["groups"] = strconv.FormatInt(gone.Authenticators, 10), strconv.FormatInt(gone.Groups, 10)
		data["events"] = strconv.FormatInt(gone.Events, 10)
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserRemoved, User: u.ID, Data: data})
	})
	return gone, err
}

// revokeAll revokes what a user alone has enrolled, has begun to, or was invited
// to.
func revokeAll(ctx context.Context, tx *store.Tx, u identity.User) error {
	invitation, err := tx.Invitations().Open(ctx, u.Tenant, u.ID)
	if err == nil {
		_, err = tx.Invitations().Revoke(ctx, invitation)
		err = errors.Join(err, tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.EnrollInvitationEnded, User: u.ID,
			Reason: "user removed", Data: map[string]string{"invitation": invitation.ID}}))
	}
	if err != nil && !errors.Is(err, identity.NotFound) {
		return err
	}
	if a, ok, err := tx.Activations().Void(ctx, u.Tenant, u.ID); err != nil {
		return err
	} else if ok {
		err := tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.EnrollVoided, User: u.ID, Authenticator: a.Authenticator,
			Journey: a.Journey, Reason: "user removed", Data: map[string]string{"activation": a.ID}})
		if err != nil {
			return err
		}
	}
	own, err := tx.Authenticators().IDsOnlyOfUser(ctx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	for _, id := range own {
		a, err := tx.Authenticators().Get(ctx, u.Tenant, id)
		if err != nil {
			return err
		}
		if _, err := tx.Authenticators().Revoke(ctx, u.Tenant, id); err != nil {
			return err
		}
		tx.Notify(store.AuthenticatorTopic(id))
		err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.AuthenticatorRevoked, User: u.ID, Authenticator: id,
			Reason: "user removed", Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return err
		}
	}
	return nil
}

// RemoveGroup removes a group and returns how many members it had. One that a
// policy names is a Conflict: a rule that denies something to its members would
// otherwise deny it to nobody any more, without a word.
func (d *Directory) RemoveGroup(ctx context.Context, who identity.Principal, tenant, name string) (members int, err error) {
	err = d.db.InTx(ctx, who, func(tx *store.Tx) error {
		g, err := tx.Groups().ByName(ctx, tenant, name)
		if err != nil {
			return err
		}
		if err := unnamed(ctx, tx, g); err != nil {
			return err
		}
		all, err := store.Collect(tx.Groups().Members(ctx, tenant, g.ID))
		if err != nil {
			return err
		}
		for _, u := range all {
			if err := changed(ctx, tx, g, u, "removed"); err != nil {
				return err
			}
		}
		members = len(all)
		if err := tx.Groups().Remove(ctx, tenant, g.ID); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.GroupRemoved,
			Data: map[string]string{"group": g.ID, "name": g.Name, "members": strconv.Itoa(members)}})
	})
	return members, err
}

// unnamed reports a Conflict if a policy names a group. An id is random and
// stands nowhere by chance, so it is looked for as text.
func unnamed(ctx context.Context, tx *store.Tx, g identity.Group) error {
	all, err := tx.Policies().All(ctx, g.Tenant)
	if err != nil {
		return err
	}
	var naming []string
	for kind, p := range all {
		if strings.Contains(string(p.Document), `"`+g.ID+`"`) {
			naming = append(naming, string(kind))
		}
	}
	if len(naming) == 0 {
		return nil
	}
	slices.Sort(naming)
	return &identity.Error{Kind: identity.Conflict, Key: "error.conflict",
		Err: fmt.Errorf("group %s is named by a policy (%s); take it out there first", g.Name, strings.Join(naming, ", "))}
}

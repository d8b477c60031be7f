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

// Remove permanently erases a user. Everything that is open ends, authenticators that nobody
// else has are revoked, and personal data are erased from all rows, including events. Events
// still say what happened. The name is free afterwards.
func (d *Directory) Remove(ctx context.Context, who identity.Principal, tenant, user string) (store.Belongings, error) {
	var gone store.Belongings
	_, err := d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) (err error) {
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
		// After the erasure, because these events contain no personal data.
		if err := revokeOwned(ctx, tx, u); err != nil {
			return err
		}
		data := revokedData(ended)
		data["authenticators"], data["groups"] = strconv.FormatInt(gone.Authenticators, 10), strconv.FormatInt(gone.Groups, 10)
		data["events"] = strconv.FormatInt(gone.Events, 10)
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserRemoved, User: u.ID, Data: data})
	})
	return gone, err
}

// revokeOwned revokes what belongs only to this user: authenticators, an enrolment that was
// begun, and an invitation.
func revokeOwned(ctx context.Context, tx *store.Tx, u identity.User) error {
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

// RemoveGroup removes a group and returns the number of its members. If a policy names the
// group, it returns a Conflict: otherwise a rule that denies access to its members would
// silently deny it to nobody.
func (d *Directory) RemoveGroup(ctx context.Context, who identity.Principal, tenant, name string) (members int, err error) {
	err = d.db.InTx(ctx, who, func(tx *store.Tx) error {
		g, err := tx.Groups().ByName(ctx, tenant, name)
		if err != nil {
			return err
		}
		if err := checkNoPolicyNames(ctx, tx, g); err != nil {
			return err
		}
		all, err := store.Collect(tx.Groups().Members(ctx, tenant, g.ID))
		if err != nil {
			return err
		}
		for _, u := range all {
			if err := recordMembership(ctx, tx, g, u, "removed"); err != nil {
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

// checkNoPolicyNames returns a Conflict if a policy names a group. It searches the documents
// for the id as text, because a random id does not occur by chance.
func checkNoPolicyNames(ctx context.Context, tx *store.Tx, g identity.Group) error {
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

package directory

import (
	"cmp"
	"context"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Change says what to change about a user. Nil fields are not changed.
type Change struct {
	DisplayName *string
	Mail        *string
	Language    *string  // BCP 47
	Password    *string  // plain text; empty removes the password
	PasswordDue *bool    // the password must be changed in the next login; nil means false if Password is set
	Groups      []string // names of all groups the user shall be a member of
	Join, Leave []string
}

// Change changes a user in one transaction. A changed or removed password ends what was
// opened with the old one: sessions, tokens of applications, and the proof of the
// password in open journeys. The event has old and new values, with personal ones kept
// apart so that they can be erased. It never contains a password.
func (d *Directory) Change(ctx context.Context, who identity.Principal, tenant, user string, c Change) (identity.User, error) {
	var hashed string
	if c.Password != nil && *c.Password != "" {
		err := NewUser{Name: cmp.Or(user, "x"), Password: *c.Password}.validate()
		if err != nil {
			return identity.User{}, err
		}
		if hashed, err = d.HashPassword(ctx, *c.Password); err != nil {
			return identity.User{}, err
		}
	}
	return d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		e := audit.Event{Tenant: tenant, Kind: audit.UserChanged, User: u.ID, Data: map[string]string{}, Personal: map[string]string{}}
		set := func(values map[string]string, name string, now *string, field *string) {
			if now != nil && *now != *field {
				values[name+".before"], values[name+".after"] = *field, *now
				*field = *now
			}
		}
		set(e.Personal, "display_name", c.DisplayName, &u.DisplayName)
		set(e.Personal, "mail", c.Mail, &u.Mail)
		set(e.Data, "language", c.Language, &u.Language)
		if err := (NewUser{Name: u.Name, DisplayName: u.DisplayName, Mail: u.Mail, Language: u.Language}).validate(); err != nil {
			return err
		}
		if c.Password != nil && (hashed != "" || u.Password != "") {
			if err := revokeOldPassword(ctx, tx, u, "", e.Data); err != nil {
				return err
			}
			e.Data["password"] = "changed"
			if hashed == "" {
				e.Data["password"] = "taken away"
			}
			u.Password, u.PasswordDue = hashed, false
		}
		if c.PasswordDue != nil && *c.PasswordDue != u.PasswordDue {
			if u.Password == "" {
				return invalid("error.user.password.none")
			}
			u.PasswordDue = *c.PasswordDue
			e.Data["password_due"] = strconv.FormatBool(u.PasswordDue)
		}
		if len(e.Data)+len(e.Personal) > 0 {
			if err := tx.Users().Change(ctx, u); err != nil {
				return err
			}
			if err := tx.Event(ctx, e); err != nil {
				return err
			}
		}
		return changeGroups(ctx, tx, u, c)
	})
}

// revokeOldPassword ends what a user's old password opened, except for the journey
// beside, and adds the counts to data.
func revokeOldPassword(ctx context.Context, tx *store.Tx, u identity.User, beside string, data map[string]string) error {
	sessions, err := tx.Sessions().EndAll(ctx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	grants, err := tx.Grants().RevokeAll(ctx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	if _, err := tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "password changed"); err != nil {
		return err
	}
	data["sessions"], data["grants"] = strconv.FormatInt(sessions, 10), strconv.FormatInt(grants, 10)
	return tx.Journeys().RevokePassword(ctx, u.Tenant, u.ID, beside)
}

// changeGroups changes a user's memberships, each with its event.
func changeGroups(ctx context.Context, tx *store.Tx, u identity.User, c Change) error {
	wanted := make(map[string]bool) // by id
	for _, name := range c.Groups {
		g, err := tx.Groups().ByName(ctx, u.Tenant, name)
		if err != nil {
			return err
		}
		wanted[g.ID] = true
		if err := join(ctx, tx, g, u); err != nil {
			return err
		}
	}
	if c.Groups != nil {
		all, err := store.Collect(tx.Groups().OfUser(ctx, u.Tenant, u.ID))
		if err != nil {
			return err
		}
		for _, g := range all {
			if !wanted[g.ID] {
				if err := leave(ctx, tx, g, u); err != nil {
					return err
				}
			}
		}
	}
	if err := eachGroup(ctx, tx, u, c.Join, join); err != nil {
		return err
	}
	return eachGroup(ctx, tx, u, c.Leave, leave)
}

func eachGroup(ctx context.Context, tx *store.Tx, u identity.User, names []string,
	change func(context.Context, *store.Tx, identity.Group, identity.User) error) error {
	for _, name := range names {
		g, err := tx.Groups().ByName(ctx, u.Tenant, name)
		if err != nil {
			return err
		}
		if err := change(ctx, tx, g, u); err != nil {
			return err
		}
	}
	return nil
}

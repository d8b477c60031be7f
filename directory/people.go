package directory

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

// A NewUser is what is known of a user to be added. All but Name may be empty;
// who has no password cannot pass one.
type NewUser struct {
	Name        string
	DisplayName string
	Mail        string
	Language    string // BCP 47
	Password    string // in clear; only its hash is kept
	Groups      []string
}

// AddUser adds a user, a member of the groups named.
func (d *Directory) AddUser(ctx context.Context, who identity.Principal, tenant string, n NewUser) (identity.User, error) {
	if err := n.validate(); err != nil {
		return identity.User{}, err
	}
	u := identity.User{Tenant: tenant, ID: identity.NewID(identity.UserID), Name: n.Name, DisplayName: n.DisplayName,
		Mail: n.Mail, Language: n.Language}
	if n.Password != "" {
		var err error
		if u.Password, err = d.HashPassword(ctx, n.Password); err != nil {
			return identity.User{}, err
		}
	}
	err := d.db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.AddUser(ctx, u); err != nil {
			return err
		}
		err := tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserAdded, User: u.ID,
			Personal: map[string]string{"name": u.Name, "mail": u.Mail}})
		if err != nil {
			return err
		}
		for _, name := range n.Groups {
			group, err := tx.GroupByName(ctx, tenant, name)
			if err != nil {
				return err
			}
			if err := join(ctx, tx, group, u); err != nil {
				return err
			}
		}
		u, err = tx.User(ctx, tenant, u.ID)
		return err
	})
	return u, err
}

func (n NewUser) validate() error {
	if err := validName(n.Name); err != nil {
		return err
	}
	if identity.CleanTyped(n.DisplayName) != n.DisplayName {
		return invalid("error.user.display")
	}
	if n.Mail != "" {
		// Only the bare address: a name beside it would go into a header.
		a, err := mail.ParseAddress(n.Mail)
		if err != nil || a.Address != n.Mail || len(n.Mail) > 254 {
			return invalid("error.user.mail")
		}
	}
	if n.Language != "" {
		if _, err := language.Parse(n.Language); err != nil {
			return invalid("error.user.language")
		}
	}
	if n.Password == "" {
		return nil
	}
	password, ok := canonical(n.Password)
	switch {
	case !ok:
		return invalid("error.user.password.long")
	case utf8.RuneCountInString(password) < minPassword:
		return invalid("error.user.password.short")
	case identity.FoldName(password) == identity.FoldName(n.Name):
		return invalid("error.user.password.name")
	}
	return nil
}

// validName refuses names that would look like others, or like nothing.
func validName(name string) error {
	if name == "" || identity.CleanTyped(name) != name || strings.ContainsRune(name, '\u00a0') {
		return invalid("error.user.name")
	}
	return nil
}

func invalid(key string) error {
	return &identity.Error{Kind: identity.Invalid, Key: key}
}

// AddGroup adds a group without members.
func (d *Directory) AddGroup(ctx context.Context, who identity.Principal, tenant, name string) (identity.Group, error) {
	g := identity.Group{Tenant: tenant, ID: identity.NewID(identity.GroupID), Name: name}
	if err := validName(name); err != nil {
		return g, err
	}
	err := d.db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.AddGroup(ctx, g); err != nil {
			return err
		}
		g.CreatedAt = tx.Now()
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.GroupAdded, Data: map[string]string{"group": g.ID, "name": name}})
	})
	return g, err
}

// AddMember makes a user a member of a group, both by name; one who is already
// stays so, and no event says otherwise.
func (d *Directory) AddMember(ctx context.Context, who identity.Principal, tenant, group, user string) error {
	return d.membership(ctx, who, tenant, group, user, join)
}

// RemoveMember ends a membership; who is none is no error.
func (d *Directory) RemoveMember(ctx context.Context, who identity.Principal, tenant, group, user string) error {
	return d.membership(ctx, who, tenant, group, user, leave)
}

func (d *Directory) membership(ctx context.Context, who identity.Principal, tenant, group, user string,
	change func(context.Context, *store.Tx, identity.Group, identity.User) error) error {
	return d.db.InTx(ctx, who, func(tx *store.Tx) error {
		g, err := tx.GroupByName(ctx, tenant, group)
		if err != nil {
			return err
		}
		u, err := tx.UserByName(ctx, tenant, user)
		if err != nil {
			return err
		}
		return change(ctx, tx, g, u)
	})
}

func join(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User) error {
	groups, err := tx.GroupIDsOf(ctx, u.Tenant, u.ID)
	if err != nil || slices.Contains(groups, g.ID) {
		return err
	}
	if err := tx.AddMember(ctx, u.Tenant, g.ID, u.ID); err != nil {
		return err
	}
	return changed(ctx, tx, g, u, "added")
}

func leave(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User) error {
	groups, err := tx.GroupIDsOf(ctx, u.Tenant, u.ID)
	if err != nil || !slices.Contains(groups, g.ID) {
		return err
	}
	if err := tx.RemoveMember(ctx, u.Tenant, g.ID, u.ID); err != nil {
		return err
	}
	return changed(ctx, tx, g, u, "removed")
}

func changed(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User, how string) error {
	return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.GroupMember, User: u.ID, Reason: how,
		Data: map[string]string{"group": g.ID, "name": g.Name}})
}

// Unlock ends every lock of a user's logins, whatever locked them (CRED-20).
func (d *Directory) Unlock(ctx context.Context, who identity.Principal, tenant, user string) error {
	return d.db.InTx(ctx, who, func(tx *store.Tx) error {
		u, err := tx.UserByName(ctx, tenant, user)
		if err != nil {
			return err
		}
		if err := tx.Unlock(ctx, tenant, u.ID); err != nil {
			return fmt.Errorf("directory: unlock: %w", err)
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.UserUnlocked, User: u.ID})
	})
}

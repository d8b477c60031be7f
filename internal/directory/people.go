package directory

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A NewUser is a user to be added. All fields except Name may be empty. A user without a
// password cannot log in with one.
type NewUser struct {
	Name        string
	DisplayName string
	Mail        string
	Language    string // BCP 47
	Password    string // plain text; only its hash is stored
	PasswordDue bool   // the password must be changed in the first login
	Groups      []string
}

// AddUser adds a user as a member of the named groups.
func (d *Directory) AddUser(ctx context.Context, who identity.Principal, tenant string, n NewUser) (identity.User, error) {
	if err := n.validate(); err != nil {
		return identity.User{}, err
	}
	u := identity.User{Tenant: tenant, ID: identity.NewID(identity.UserID), Name: n.Name, DisplayName: n.DisplayName,
		Mail: n.Mail, Language: n.Language, PasswordDue: n.PasswordDue && n.Password != ""}
	if n.Password != "" {
		var err error
		if u.Password, err = d.HashPassword(ctx, n.Password); err != nil {
			return identity.User{}, err
		}
	}
	err := d.db.InTx(ctx, who, func(tx *store.Tx) error {
		var groups []identity.Group
		for _, name := range n.Groups {
			group, err := tx.Groups().ByName(ctx, tenant, name)
			if err != nil {
				return err
			}
			groups = append(groups, group)
		}
		err := add(ctx, tx, u, groups)
		if err != nil {
			return err
		}
		u, err = tx.Users().Get(ctx, tenant, u.ID)
		return err
	})
	return u, err
}

// add adds a user and the memberships, ignoring duplicates.
func add(ctx context.Context, tx *store.Tx, u identity.User, groups []identity.Group) error {
	if err := tx.Users().Add(ctx, u); err != nil {
		return err
	}
	if err := tx.Event(ctx, userAdded(u)); err != nil {
		return err
	}
	for i, g := range groups {
		if slices.Contains(groups[:i], g) {
			continue
		}
		if err := tx.Groups().AddMember(ctx, u.Tenant, g.ID, u.ID); err != nil {
			return err
		}
		if err := recordMembership(ctx, tx, g, u, "added"); err != nil {
			return err
		}
	}
	return nil
}

// A fault says what is wrong with a field of a user.
type fault struct{ field, key string }

func (n NewUser) validate() error {
	for _, f := range n.faults() {
		return invalid(f.key)
	}
	return nil
}

// faults returns everything that is wrong, with the column names of an import.
func (n NewUser) faults() []fault {
	var faults []fault
	wrong := func(field, key string) { faults = append(faults, fault{field, key}) }
	if validName(n.Name) != nil {
		wrong("name", "error.user.name")
	}
	if identity.CleanTyped(n.DisplayName) != n.DisplayName {
		wrong("display_name", "error.user.display")
	}
	if n.Mail != "" {
		if _, err := identity.ParseMailAddress(n.Mail); err != nil {
			wrong("mail", "error.user.mail")
		}
	}
	if n.Language != "" {
		if _, err := language.Parse(n.Language); err != nil {
			wrong("language", "error.user.language")
		}
	}
	if n.Password == "" {
		return faults
	}
	password, ok := canonical(n.Password)
	switch {
	case !ok:
		wrong("password", "error.user.password.long")
	case utf8.RuneCountInString(password) < minPassword:
		wrong("password", "error.user.password.short")
	case identity.FoldName(password) == identity.FoldName(n.Name):
		wrong("password", "error.user.password.name")
	}
	return faults
}

// validName refuses empty names and names that look like other ones.
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
		if err := tx.Groups().Add(ctx, g); err != nil {
			return err
		}
		g.CreatedAt = tx.Now()
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.GroupAdded, Data: map[string]string{"group": g.ID, "name": name}})
	})
	return g, err
}

// AddMember makes a user a member of a group, both given by name. It does nothing, and writes
// no event, if the user is one already.
func (d *Directory) AddMember(ctx context.Context, who identity.Principal, tenant, group, user string) error {
	return d.membership(ctx, who, tenant, group, user, join)
}

// RemoveMember ends a membership. It does nothing if there is none.
func (d *Directory) RemoveMember(ctx context.Context, who identity.Principal, tenant, group, user string) error {
	return d.membership(ctx, who, tenant, group, user, leave)
}

func (d *Directory) membership(ctx context.Context, who identity.Principal, tenant, group, user string,
	change func(context.Context, *store.Tx, identity.Group, identity.User) error) error {
	return d.db.InTx(ctx, who, func(tx *store.Tx) error {
		g, err := tx.Groups().ByName(ctx, tenant, group)
		if err != nil {
			return err
		}
		u, err := tx.Users().ByName(ctx, tenant, user)
		if err != nil {
			return err
		}
		return change(ctx, tx, g, u)
	})
}

func join(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User) error {
	groups, err := tx.Groups().IDsOfUser(ctx, u.Tenant, u.ID)
	if err != nil || slices.Contains(groups, g.ID) {
		return err
	}
	if err := tx.Groups().AddMember(ctx, u.Tenant, g.ID, u.ID); err != nil {
		return err
	}
	return recordMembership(ctx, tx, g, u, "added")
}

func leave(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User) error {
	groups, err := tx.Groups().IDsOfUser(ctx, u.Tenant, u.ID)
	if err != nil || !slices.Contains(groups, g.ID) {
		return err
	}
	if err := tx.Groups().RemoveMember(ctx, u.Tenant, g.ID, u.ID); err != nil {
		return err
	}
	return recordMembership(ctx, tx, g, u, "removed")
}

func recordMembership(ctx context.Context, tx *store.Tx, g identity.Group, u identity.User, how string) error {
	return tx.Event(ctx, membership(g, u, how))
}

func membership(g identity.Group, u identity.User, how string) audit.Event {
	return audit.Event{Tenant: u.Tenant, Kind: audit.GroupMember, User: u.ID, Reason: how,
		Data: map[string]string{"group": g.ID, "name": g.Name}}
}

func userAdded(u identity.User) audit.Event {
	return audit.Event{Tenant: u.Tenant, Kind: audit.UserAdded, User: u.ID,
		Personal: map[string]string{"name": u.Name, "mail": u.Mail}}
}

package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// userChange is a change of a user that a command makes.
type userChange = func(d *directory.Directory, ctx context.Context, who identity.Principal, tenant, user string) (identity.User, error)

// changeUser changes the user of a name and shows it.
func (s *shell) changeUser(ctx context.Context, name string, change userChange, said string) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, name)
		if err != nil {
			return err
		}
		if u, err = change(ts.directory(), ctx, ts.who, ts.tenant.ID, u.Name); err != nil {
			return err
		}
		return s.print(rowOfUser(u, ts.db.Now()), said, u.Name)
	})
}

type userLock struct {
	Name string `arg:"" help:"The user's name."`
}

func (userLock) Help() string {
	return `Nobody logs in as the user until "latchkey user unlock"; time does not end it. What is open stays open: "latchkey user disable" ends that too.

Example:

    latchkey user lock anna`
}

// Run locks a user's logins.
func (c *userLock) Run(ctx context.Context, s *shell) error {
	return s.changeUser(ctx, c.Name, (*directory.Directory).Lock, "User %s is locked until unlocked.")
}

type userUnlock struct {
	Name string `arg:"" help:"The user's name."`
}

func (userUnlock) Help() string {
	return `It ends every lock of the user: of logins, whoever or whatever locked them, of passcodes and of push. What locks one authenticator stays: "latchkey authenticator unlock" ends that.

Example:

    latchkey user unlock anna`
}

// Run ends every lock of a user's logins.
func (c *userUnlock) Run(ctx context.Context, s *shell) error {
	return s.changeUser(ctx, c.Name, (*directory.Directory).Unlock, "User %s is not locked any more.")
}

type userDisable struct {
	Name string `arg:"" help:"The user's name."`
}

func (userDisable) Help() string {
	return `All the user has open ends at once: sessions, logins under way, push requests, the tokens of applications. Who tries to log in is treated as under a name nobody has. Nothing is lost: "latchkey user enable" lets the user log in again.

Example:

    latchkey user disable anna`
}

// Run disables a user.
func (c *userDisable) Run(ctx context.Context, s *shell) error {
	return s.changeUser(ctx, c.Name, (*directory.Directory).Disable, "User %s is disabled.")
}

type userEnable struct {
	Name string `arg:"" help:"The user's name."`
}

func (userEnable) Help() string {
	return "What ended when the user was disabled stays ended.\n\nExample:\n\n    latchkey user enable anna"
}

// Run lets a disabled user log in again.
func (c *userEnable) Run(ctx context.Context, s *shell) error {
	return s.changeUser(ctx, c.Name, (*directory.Directory).Enable, "User %s is enabled.")
}

type userSet struct {
	Name          string   `arg:"" help:"The user's name. It cannot be changed."`
	DisplayName   *string  `help:"What the user is called; empty takes it away."`
	Mail          *string  `help:"Address for codes and notices; empty takes it away."`
	Language      *string  `placeholder:"TAG" help:"Language of pages and mails, such as de; empty leaves it to the browser."`
	Groups        []string `name:"group" placeholder:"GROUP" sep:"none" help:"A group to be a member of, and of no other than those given; may be repeated."`
	NoGroups      bool     `help:"Be a member of no group."`
	AddGroup      []string `placeholder:"GROUP" sep:"none" help:"A group to become a member of; may be repeated."`
	RemoveGroup   []string `placeholder:"GROUP" sep:"none" help:"A group to be a member of no longer; may be repeated."`
	Password      bool     `help:"Set a password: asked for without being shown, or the first line of standard input."`
	NoPassword    bool     `help:"Take the password away."`
	ChangeAtLogin *bool    `negatable:"" help:"The password must be changed in the next login. --password alone is not of that kind."`
}

func (userSet) Help() string {
	return `Only what is named changes. A new password, or none, ends the user's sessions and the tokens of applications.

Examples:

    latchkey user set anna --mail anna.berg@example.org --add-group Surgery
    echo 'correct horse battery' | latchkey user set anna --password --change-at-login`
}

// Run changes a user.
func (c *userSet) Run(ctx context.Context, s *shell) error {
	change := directory.Change{DisplayName: c.DisplayName, Mail: c.Mail, Language: c.Language, Groups: c.Groups, Join: c.AddGroup, Leave: c.RemoveGroup, PasswordDue: c.ChangeAtLogin}
	switch {
	case c.NoPassword && c.ChangeAtLogin != nil:
		return usageErrorf("--no-password and --change-at-login exclude each other")
	case c.Password && c.NoPassword:
		return usageErrorf("--password and --no-password exclude each other")
	case c.NoGroups && len(c.Groups) > 0:
		return usageErrorf("--group and --no-groups exclude each other")
	case c.NoGroups:
		change.Groups = []string{}
	case len(c.Groups) == 0:
		change.Groups = nil
	}
	if c.DisplayName == nil && c.Mail == nil && c.Language == nil && change.Groups == nil &&
		len(c.AddGroup)+len(c.RemoveGroup) == 0 && !c.Password && !c.NoPassword && c.ChangeAtLogin == nil {
		return usageErrorf("there is nothing to change; see \"latchkey user set --help\"")
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.Name)
		if err != nil {
			return err
		}
		for _, names := range [][]string{c.Groups, c.AddGroup, c.RemoveGroup} {
			for _, name := range names { // before anybody types a password
				if _, err := ts.group(ctx, name); err != nil {
					return err
				}
			}
		}
		switch {
		case c.NoPassword:
			change.Password = new(string)
		case c.Password:
			password, err := s.password(ctx, u.Name)
			if err != nil {
				return err
			}
			change.Password = &password
		}
		if u, err = ts.directory().Change(ctx, ts.who, ts.tenant.ID, u.Name, change); err != nil {
			return err
		}
		if c.Mail != nil {
			s.noteAddresses(u.Mail)
		}
		row := rowOfUser(u, ts.db.Now())
		for g, err := range ts.db.Groups().OfUser(ctx, ts.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			row.Groups = append(row.Groups, g.Name)
		}
		return s.print(row, "Changed user %s.", u.Name)
	})
}

type userRemove struct {
	Name string `arg:"" help:"The user's name."`
	Yes  bool   `help:"Do not ask."`
}

func (userRemove) Help() string {
	return `All that tells of the person is erased, in the audit too, where what happened stays without whom. All that is open ends at once, authenticators are revoked, and the name is free. It cannot be undone; "latchkey user disable" can.

Example:

    latchkey user remove anna --yes`
}

type userRemoved struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Authenticators int64  `json:"authenticators"`
	Groups         int64  `json:"groups"`
	Sessions       int64  `json:"sessions"`
	Events         int64  `json:"events_erased"`
}

// Run removes a user.
func (c *userRemove) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.Name)
		if err != nil {
			return err
		}
		goes, err := ts.db.Users().Belongings(ctx, ts.tenant.ID, u.ID)
		if err != nil {
			return err
		}
		err = s.confirm(ctx, c.Yes, "Removing user %s (%s) destroys %d authenticators, %d memberships, %d open sessions and what %d events say of the person.",
			u.Name, u.ID, goes.Authenticators, goes.Groups, goes.Sessions, goes.Events)
		if err != nil {
			return err
		}
		gone, err := ts.directory().Remove(ctx, ts.who, ts.tenant.ID, u.Name)
		if err != nil {
			return err
		}
		return s.print(userRemoved{u.ID, u.Name, gone.Authenticators, gone.Groups, gone.Sessions, gone.Events},
			"Removed user %s: %d authenticators, %d memberships, %d sessions, personal data in %d events.",
			u.Name, gone.Authenticators, gone.Groups, gone.Sessions, gone.Events)
	})
}

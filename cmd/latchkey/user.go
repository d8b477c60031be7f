package main

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
)

type userRow struct {
	ID             string                `json:"id"`
	Name           string                `json:"name"`
	DisplayName    string                `json:"display_name,omitempty"`
	Mail           string                `json:"mail,omitempty"`
	Language       string                `json:"language,omitempty"`
	Password       bool                  `json:"has_password"`
	PasswordAt     time.Time             `json:"password_changed_at,omitzero"`
	PasswordDue    bool                  `json:"password_due,omitempty"` // must be changed in the next login
	Failures       int64                 `json:"failures"`
	LockedUntil    time.Time             `json:"locked_until,omitzero"`
	LockedAt       time.Time             `json:"locked_at,omitzero"` // by an operator
	DisabledAt     time.Time             `json:"disabled_at,omitzero"`
	MayEnrollAt    time.Time             `json:"leave_to_enrol_at,omitzero"`
	EverEnrolledAt time.Time             `json:"first_enrolled_at,omitzero"`
	CreatedAt      time.Time             `json:"created_at"`
	Groups         []string              `json:"groups,omitempty"`
	Authenticators []authenticatorRow    `json:"authenticators,omitempty"`
	Devices        []rememberedDeviceRow `json:"remembered_devices,omitempty"`
}

func rowOfUser(u identity.User, now time.Time) userRow {
	row := userRow{ID: u.ID, Name: u.Name, DisplayName: u.DisplayName, Mail: u.Mail, Language: u.Language, Password: u.Password != "",
		Failures: u.Failures, LockedAt: u.LockedAt, DisabledAt: u.DisabledAt, MayEnrollAt: u.EnrollPermitAt, EverEnrolledAt: u.EverEnrolledAt, CreatedAt: u.CreatedAt}
	if row.Password {
		row.PasswordAt, row.PasswordDue = u.PasswordChanged, u.PasswordDue
	}
	if now.Before(u.LockedUntil) {
		row.LockedUntil = u.LockedUntil
	}
	return row
}

// state says in a word how a user stands.
func (u userRow) state() string {
	switch {
	case !u.DisabledAt.IsZero():
		return "disabled"
	case !u.LockedAt.IsZero(), !u.LockedUntil.IsZero():
		return "locked"
	}
	return "enabled"
}

// directory is the directory of the tenant.
func (ts tenantScope) directory() *directory.Directory { return directory.New(ts.db, runtime.NumCPU()) }

// user finds a user by name. Its error names the nearest.
func (ts tenantScope) user(ctx context.Context, name string) (identity.User, error) {
	u, err := ts.db.Users().ByName(ctx, ts.tenant.ID, name)
	return u, withNearest(err, "user", name, namesOf(ts.users(ctx, ""), func(u identity.User) string { return u.Name }))
}

func (ts tenantScope) users(ctx context.Context, after string) func(func(identity.User, error) bool) {
	return ts.db.Users().List(ctx, ts.tenant.ID, after, math.MaxInt32)
}

type userAdd struct {
	Name          string   `arg:"" help:"What the user logs in with."`
	DisplayName   string   `help:"What the user is called."`
	Mail          string   `help:"Address for codes and notices. Who has none cannot enrol alone."`
	Language      string   `placeholder:"TAG" help:"Language of pages and mails, such as de."`
	Groups        []string `name:"group" placeholder:"GROUP" sep:"none" help:"A group to become a member of; may be repeated."`
	NoPassword    bool     `help:"Add the user without a password."`
	ChangeAtLogin bool     `help:"The password must be changed in the first login."`
}

func (userAdd) Help() string {
	return `The password is asked for without being shown or, where there is no terminal, is the first line of standard input. It never stands on the command line, where others on the machine could read it.

Example:

    echo 'correct horse battery' | latchkey user add anna --mail anna@example.org --group Nurses`
}

// Run adds a user.
func (c *userAdd) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		for _, name := range c.Groups { // before anybody types a password
			if _, err := ts.group(ctx, name); err != nil {
				return err
			}
		}
		n := directory.NewUser{Name: c.Name, DisplayName: c.DisplayName, Mail: c.Mail, Language: c.Language, Groups: c.Groups, PasswordDue: c.ChangeAtLogin}
		if !c.NoPassword {
			var err error
			if n.Password, err = s.password(ctx, c.Name); err != nil {
				return err
			}
		}
		u, err := ts.directory().AddUser(ctx, ts.who, ts.tenant.ID, n)
		if err != nil {
			return err
		}
		s.noteAddresses(u.Mail)
		return s.print(rowOfUser(u, ts.db.Now()), "Added user %s (%s).", u.Name, u.ID)
	})
}

type userList struct {
	Group string `placeholder:"GROUP" help:"Only members of a group."`
}

func (userList) Help() string {
	return "Example:\n\n    latchkey user list --group Nurses"
}

// Run lists users by name.
func (c *userList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		users := ts.users(ctx, "")
		if c.Group != "" {
			g, err := ts.group(ctx, c.Group)
			if err != nil {
				return err
			}
			users = ts.db.Groups().Members(ctx, ts.tenant.ID, g.ID)
		}
		return s.users(users, ts.db.Now())
	})
}

func (s *shell) users(users func(func(identity.User, error) bool), now time.Time) error {
	var rows []userRow
	for u, err := range users {
		if err != nil {
			return err
		}
		rows = append(rows, rowOfUser(u, now))
	}
	return list(s, rows, []string{"NAME", "DISPLAY NAME", "MAIL", "STATE", "ENROLLED"}, func(u userRow) []string {
		return []string{u.Name, u.DisplayName, u.Mail, u.state(), formatTime(u.EverEnrolledAt)}
	})
}

type userShow struct {
	Name string `arg:"" help:"The user's name."`
}

func (userShow) Help() string { return "Example:\n\n    latchkey user show anna --json" }

// Run shows a user.
func (c *userShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.Name)
		if err != nil {
			return err
		}
		row := rowOfUser(u, ts.db.Now())
		for g, err := range ts.db.Groups().OfUser(ctx, ts.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			row.Groups = append(row.Groups, g.Name)
		}
		for a, err := range ts.db.Authenticators().OfUser(ctx, ts.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			row.Authenticators = append(row.Authenticators, rowOfAuthenticator(a, ts.db.Now()))
		}
		for d, err := range ts.db.Devices().OfUser(ctx, ts.tenant.ID, u.ID) {
			if err != nil {
				return err
			}
			row.Devices = append(row.Devices, rowOfDevice(d))
		}
		if s.flags.JSON {
			return s.encode(row)
		}
		return table(s.stdout, row.rows())
	})
}

// rows are a user for people to read.
func (u userRow) rows() [][]string {
	password := "none"
	if u.Password {
		password = "set " + formatTime(u.PasswordAt)
		if u.PasswordDue {
			password += ", to be changed in the next login"
		}
	}
	rows := [][]string{{"Name", u.Name}, {"Display name", u.DisplayName}, {"Id", u.ID}, {"Mail", u.Mail}, {"Language", u.Language},
		{"State", u.state()}, {"Locked until", formatTime(u.LockedUntil)}, {"Password", password}, {"Added", formatTime(u.CreatedAt)},
		{"First enrolled", formatTime(u.EverEnrolledAt)}, {"Leave to enrol", formatTime(u.MayEnrollAt)}}
	if !u.LockedAt.IsZero() {
		rows = append(rows, []string{"Locked by an operator", formatTime(u.LockedAt)})
	}
	for _, g := range u.Groups {
		rows = append(rows, []string{"Group", g})
	}
	for _, a := range u.Authenticators {
		rows = append(rows, []string{"Authenticator", a.Serial + ", " + a.State + ", " + a.Name})
	}
	for _, d := range u.Devices {
		rows = append(rows, []string{"Remembered device", d.Browser + ", " + d.Address + ", last used " + formatTime(d.UsedAt) + ", until " + formatTime(d.EndsAt)})
	}
	return rows
}

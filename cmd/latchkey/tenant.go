package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

type tenantRow struct {
	ID           string    `json:"id"`
	Slug         string    `json:"slug"`
	Name         string    `json:"name"`
	Organisation string    `json:"organisation,omitempty"`
	Language     string    `json:"language,omitempty"`
	HelpContact  string    `json:"help_contact,omitempty"`
	MailNames    bool      `json:"mail_names"`
	NameLabel    string    `json:"name_label,omitempty"`
	Alerts       []string  `json:"alerts,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

func rowOfTenant(t identity.Tenant) tenantRow {
	return tenantRow{t.ID, t.Slug, t.Name, t.Organisation, t.Language, t.HelpContact, !t.NoMailNames, t.NameLabel, t.Alerts, t.CreatedAt}
}

type tenantAdd struct {
	Slug         string   `arg:"" help:"Part of its addresses; can never be changed."`
	Name         string   `required:"" help:"What people know it by."`
	Organisation string   `help:"What phones show with a push request. Default: its name."`
	Language     string   `placeholder:"TAG" help:"Language of readers who ask for none we speak."`
	HelpContact  string   `help:"Whom people who cannot go on are told to turn to."`
	Alerts       []string `name:"alert" placeholder:"MAIL" sep:"none" help:"Mail address of an operator who is told of what needs attention."`
}

func (tenantAdd) Help() string {
	return `Example:

    latchkey tenant add example --name "Example Hospital" --help-contact help@example.org`
}

// Run adds a tenant.
func (c *tenantAdd) Run(ctx context.Context, s *shell) error {
	return s.database(ctx, func(db *store.DB) error {
		t, err := admin.AddTenant(ctx, db, s.principal(), identity.Tenant{Slug: c.Slug, Name: c.Name, Organisation: c.Organisation,
			Language: c.Language, HelpContact: c.HelpContact, Alerts: c.Alerts})
		if err != nil {
			return err
		}
		s.noteAddresses(t.Alerts...)
		return s.print(rowOfTenant(t), "Added tenant %s (%s).", t.Slug, t.ID)
	})
}

type tenantSet struct {
	Slug         string   `arg:"" optional:"" help:"The tenant's slug. Default: the one --tenant names, or the only one."`
	Name         *string  `help:"What people know it by."`
	Organisation *string  `help:"What phones show with a push request; empty is its name."`
	Language     *string  `placeholder:"TAG" help:"Language of readers who ask for none we speak; empty is English."`
	HelpContact  *string  `placeholder:"TEXT" help:"Whom people who cannot go on are told to turn to; empty is nobody."`
	NameLabel    *string  `placeholder:"TEXT" help:"What the sign-in page's field for the user name is called; empty is as each language has it."`
	MailNames    *bool    `negatable:"" help:"Whether a typed mail address signs in as the one user who has it."`
	Alerts       []string `name:"alert" placeholder:"MAIL" sep:"none" help:"Mail address of an operator who is told of what needs attention, and no other than those given; may be repeated."`
	NoAlerts     bool     `help:"Tell no operator."`
}

func (tenantSet) Help() string {
	return `Only what is named changes, within a quarter of a second, on every page and in every mail. What is in an authenticator already keeps the name it was set up with. The slug never changes.

Example:

    latchkey tenant set --name "Example Hospital" --help-contact "the help desk, extension 2222"`
}

// Run changes a tenant.
func (c *tenantSet) Run(ctx context.Context, s *shell) error {
	change := admin.TenantChange{Name: c.Name, Organisation: c.Organisation, Language: c.Language, HelpContact: c.HelpContact, NameLabel: c.NameLabel, MailNames: c.MailNames}
	switch {
	case c.NoAlerts && len(c.Alerts) > 0:
		return usageErrorf("--alert and --no-alerts exclude each other")
	case c.NoAlerts:
		change.Alerts = []string{}
	case len(c.Alerts) > 0:
		change.Alerts = c.Alerts
	}
	if c.Name == nil && c.Organisation == nil && c.Language == nil && c.HelpContact == nil && c.NameLabel == nil && c.MailNames == nil && change.Alerts == nil {
		return usageErrorf("there is nothing to change; see \"latchkey tenant set --help\"")
	}
	if c.Slug != "" {
		s.flags.Tenant = c.Slug
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		t, err := admin.ChangeTenant(ctx, ts.db, ts.who, ts.tenant.ID, change)
		if err != nil {
			return err
		}
		s.noteAddresses(change.Alerts...)
		return s.print(rowOfTenant(t), "Changed tenant %s (%s).", printable(t.Name), t.Slug)
	})
}

type tenantRemove struct {
	Slug    string `arg:"" help:"The tenant's slug."`
	Confirm string `placeholder:"NAME" help:"The tenant's name, in place of typing it when asked."`
}

func (tenantRemove) Help() string {
	return `Everything in the tenant goes: people, authenticators, applications, policies, keys, sessions and events. It is out of reach at once; then its rows go a few hundred at a time, beside the server. If that is interrupted, the same command goes on. Two events stay, which belong to no tenant: "latchkey audit list --installation". It cannot be undone; make a backup before.

Its name must be typed as "latchkey tenant show" has it.

Example:

    latchkey tenant remove example --confirm "Example Hospital"`
}

type tenantRemoved struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Run removes a tenant.
func (c *tenantRemove) Run(ctx context.Context, s *shell) error {
	return s.database(ctx, func(db *store.DB) error {
		s.flags.Tenant = c.Slug
		t, err := db.Tenants().Removing(ctx, c.Slug)
		if errors.Is(err, identity.NotFound) {
			t, err = s.tenant(ctx, db)
		}
		if err != nil {
			return err
		}
		census, err := db.Tenants().Census(ctx, t.ID)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("Removing tenant %s (%s) destroys %d users, %d authenticators, %d groups, %d applications, and all that happened there.",
			printable(t.Name), t.Slug, census.Users, census.Authenticators, census.Groups, census.Applications)
		if err := s.confirmName(ctx, c.Confirm, t.Name, what); err != nil {
			return err
		}
		var gone int64
		rows, err := admin.RemoveTenant(ctx, db, s.principal(), t, func(rows int64) { gone += rows })
		if err != nil {
			return fmt.Errorf("%w (%d rows are gone; the same command goes on)", err, gone)
		}
		return s.print(tenantRemoved{t.ID, t.Slug, t.Name, rows}, "Removed tenant %s (%s): %d rows.", printable(t.Name), t.Slug, rows)
	})
}

// confirmName says what an act destroys, and has the name of what is destroyed typed:
// at a terminal, or as the value of --confirm.
func (s *shell) confirmName(ctx context.Context, typed, name, what string) error {
	if f, ok := s.terminal(); ok && typed == "" {
		var err error
		if typed, err = s.askLine(ctx, f, what+"\nIt cannot be undone. Type its name: "); err != nil {
			return err
		}
	}
	switch typed {
	case name:
		return nil
	case "":
		return usageErrorf("%s Say --confirm %q if you mean it", what, name)
	}
	return usageErrorf("%q is not its name, which is %q; nothing was removed", typed, name)
}

type tenantList struct{}

func (tenantList) Help() string { return "Example:\n\n    latchkey tenant list --json" }

// Run lists the tenants.
func (tenantList) Run(ctx context.Context, s *shell) error {
	return s.database(ctx, func(db *store.DB) error {
		var rows []tenantRow
		for t, err := range db.Tenants().All(ctx) {
			if err != nil {
				return err
			}
			rows = append(rows, rowOfTenant(t))
		}
		return list(s, rows, []string{"SLUG", "NAME", "ID", "SINCE"}, func(t tenantRow) []string {
			return []string{t.Slug, t.Name, t.ID, formatTime(t.CreatedAt)}
		})
	})
}

type tenantShow struct {
	Slug string `arg:"" optional:"" help:"The tenant's slug. Default: the one --tenant names, or the only one."`
}

func (tenantShow) Help() string { return "Example:\n\n    latchkey tenant show example" }

type tenantShown struct {
	tenantRow
	store.Census
}

// Run shows a tenant.
func (c *tenantShow) Run(ctx context.Context, s *shell) error {
	if c.Slug != "" {
		s.flags.Tenant = c.Slug
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		census, err := ts.db.Tenants().Census(ctx, ts.tenant.ID)
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(tenantShown{rowOfTenant(ts.tenant), census})
		}
		t := ts.tenant
		return table(s.stdout, [][]string{{"Slug", t.Slug}, {"Name", t.Name}, {"Organisation", t.OrganisationName()}, {"Id", t.ID},
			{"Language", t.Language}, {"Help contact", t.HelpContact}, {"Field for the name", t.NameLabel}, {"Mail address as name", map[bool]string{true: "yes", false: "no"}[!t.NoMailNames]}, {"Alerts to", strings.Join(t.Alerts, ", ")}, {"Added", formatTime(t.CreatedAt)},
			{"Users", fmt.Sprint(census.Users)}, {"  of these disabled", fmt.Sprint(census.Disabled)}, {"Groups", fmt.Sprint(census.Groups)},
			{"Applications", fmt.Sprint(census.Applications)}, {"Authenticators", fmt.Sprint(census.Authenticators)}})
	})
}

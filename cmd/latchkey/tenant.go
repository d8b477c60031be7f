package main

import (
	"context"
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
	Alerts       []string  `json:"alerts,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

func rowOfTenant(t identity.Tenant) tenantRow {
	return tenantRow{t.ID, t.Slug, t.Name, t.Organisation, t.Language, t.HelpContact, t.Alerts, t.CreatedAt}
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
		return s.print(rowOfTenant(t), "Added tenant %s (%s).", t.Slug, t.ID)
	})
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
			{"Language", t.Language}, {"Help contact", t.HelpContact}, {"Alerts to", strings.Join(t.Alerts, ", ")}, {"Added", formatTime(t.CreatedAt)},
			{"Users", fmt.Sprint(census.Users)}, {"  of these disabled", fmt.Sprint(census.Disabled)}, {"Groups", fmt.Sprint(census.Groups)},
			{"Applications", fmt.Sprint(census.Applications)}, {"Authenticators", fmt.Sprint(census.Authenticators)}})
	})
}

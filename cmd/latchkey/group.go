package main

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

type groupRow struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

func rowOfGroup(g identity.Group) groupRow { return groupRow{g.ID, g.Name, g.CreatedAt} }

// group finds a group by name. Its error names the nearest.
func (ts tenantScope) group(ctx context.Context, name string) (identity.Group, error) {
	g, err := ts.db.Groups().ByName(ctx, ts.tenant.ID, name)
	return g, withNearest(err, "group", name, namesOf(ts.db.Groups().All(ctx, ts.tenant.ID), func(g identity.Group) string { return g.Name }))
}

type groupAdd struct {
	Name string `arg:"" help:"The group's name."`
}

func (groupAdd) Help() string { return "Example:\n\n    latchkey group add Nurses" }

// Run adds a group.
func (c *groupAdd) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		g, err := ts.directory().AddGroup(ctx, ts.who, ts.tenant.ID, c.Name)
		if err != nil {
			return err
		}
		return s.print(rowOfGroup(g), "Added group %s (%s).", g.Name, g.ID)
	})
}

type groupList struct{}

func (groupList) Help() string { return "Example:\n\n    latchkey group list --json" }

// Run lists groups by name.
func (groupList) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		var rows []groupRow
		for g, err := range ts.db.Groups().All(ctx, ts.tenant.ID) {
			if err != nil {
				return err
			}
			rows = append(rows, rowOfGroup(g))
		}
		return list(s, rows, []string{"NAME", "ID"}, func(g groupRow) []string { return []string{g.Name, g.ID} })
	})
}

type groupMember struct {
	Group  string   `arg:"" help:"The group's name."`
	Add    []string `placeholder:"USER" sep:"none" help:"A user who becomes a member; may be repeated."`
	Remove []string `placeholder:"USER" sep:"none" help:"A user who is a member no longer; may be repeated."`
}

func (groupMember) Help() string {
	return `Who is a member already, or is none, stays so. The members are listed as they are afterwards.

Example:

    latchkey group member Nurses --add anna --add bo --remove cy`
}

// Run changes a group's members and lists them.
func (c *groupMember) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		g, err := ts.group(ctx, c.Group)
		if err != nil {
			return err
		}
		for _, name := range append(append([]string{}, c.Add...), c.Remove...) {
			if _, err := ts.user(ctx, name); err != nil {
				return err
			}
		}
		for _, name := range c.Add {
			if err := ts.directory().AddMember(ctx, ts.who, ts.tenant.ID, g.Name, name); err != nil {
				return err
			}
		}
		for _, name := range c.Remove {
			if err := ts.directory().RemoveMember(ctx, ts.who, ts.tenant.ID, g.Name, name); err != nil {
				return err
			}
		}
		return s.users(ts.db.Groups().Members(ctx, ts.tenant.ID, g.ID), ts.db.Now())
	})
}

type groupRemove struct {
	Name string `arg:"" help:"The group's name."`
	Yes  bool   `help:"Do not ask."`
}

func (groupRemove) Help() string {
	return `Its members stay users. A group that a policy names cannot be removed before it is taken out there.

Example:

    latchkey group remove Nurses --yes`
}

type groupRemoved struct {
	groupRow
	Members int `json:"members"`
}

// Run removes a group.
func (c *groupRemove) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		g, err := ts.group(ctx, c.Name)
		if err != nil {
			return err
		}
		members, err := store.Collect(ts.db.Groups().Members(ctx, ts.tenant.ID, g.ID))
		if err != nil {
			return err
		}
		if err := s.confirm(ctx, c.Yes, "Removing group %s (%s) destroys %d memberships.", g.Name, g.ID, len(members)); err != nil {
			return err
		}
		n, err := ts.directory().RemoveGroup(ctx, ts.who, ts.tenant.ID, g.Name)
		if err != nil {
			return err
		}
		return s.print(groupRemoved{rowOfGroup(g), n}, "Removed group %s, of which %d were members.", g.Name, n)
	})
}

package main

import (
	"context"
	"net/netip"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/store"
)

type policyExplain struct {
	User string `required:"" placeholder:"USER" help:"Who would log in."`
	App  string `required:"" placeholder:"APP" help:"To what: an application's name, entityID or client id, or id."`
	From string `placeholder:"ADDRESS" help:"From where. Default: an address nobody knows, for which the strictest of what may fit holds."`
}

func (policyExplain) Help() string {
	return `Of each setting it says what made it so: a rule, groups, the tenant's policy, or the default where nobody has set one. Of push it says too which presence check would be asked for now, with the password proved, which authenticators it would reach and why not the others, and what is offered first in a browser nobody knows. Nothing is changed, and the user is told nothing.

Example:

    latchkey policy explain --user anna --app Wiki --from 192.0.2.7`
}

// Run explains what holds for a user at an application.
func (c *policyExplain) Run(ctx context.Context, s *shell) error {
	var from netip.Addr
	if c.From != "" {
		var err error
		if from, err = netip.ParseAddr(c.From); err != nil {
			return usageErrorf("--from %q is no address such as 192.0.2.7", c.From)
		}
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		app, err := ts.application(ctx, c.App)
		if err != nil {
			return err
		}
		var e admin.Explanation
		err = ts.db.InSnapshot(ctx, func(r store.Reader) (err error) {
			e, err = admin.Explain(ctx, r, u, app.ID, from)
			return err
		})
		if err != nil {
			return err
		}
		return list(s, e.Findings(), []string{"POLICY", "SETTING", "VALUE", "BECAUSE"}, func(f admin.Finding) []string {
			return []string{string(f.Policy), f.Setting, f.Value, f.Because}
		})
	})
}

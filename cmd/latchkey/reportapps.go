package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/report"
)

var apps = columns[report.App]{
	head: []string{"PLATFORM", "APP", "USER", "SERIAL", "AUTHENTICATORS", "CANNOT", "LEAST VERSION"},
	row: func(a report.App) []string {
		return []string{string(a.Platform), a.App, a.User, a.Serial, strconv.FormatInt(a.Authenticators, 10), strings.Join(a.Cannot, ", "), a.Least}
	},
	csvHead: []string{"platform", "app", "user", "serial", "authenticators", "cannot", "least"},
	csvRow: func(a report.App) []string {
		return []string{string(a.Platform), a.App, a.User, a.Serial, strconv.FormatInt(a.Authenticators, 10), strings.Join(a.Cannot, " "), a.Least}
	},
}

type reportApps struct {
	Cannot policy.Presence `placeholder:"CHECK" help:"Name those who could not do a presence check if it were required today: pick, enter or six-digits."`
	CSV    bool            `name:"csv" help:"Say it as CSV, for spreadsheets."`
}

func (reportApps) Help() string {
	return `Active authenticator apps, counted by platform and version, with the presence checks they cannot do. An app is known by its last call.

Examples:

    latchkey report apps

    latchkey report apps --cannot six-digits --csv > to-update.csv`
}

// Run counts apps, or names those that could not do a check.
func (c *reportApps) Run(ctx context.Context, s *shell) error {
	if c.Cannot != "" && !slices.Contains(report.Checks, c.Cannot) {
		return usageErrorf("--cannot is one of %s", strings.Join(stringsOf(report.Checks), ", "))
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		p, err := apps.printer(s, c.CSV)
		if err != nil {
			return err
		}
		if c.Cannot != "" {
			return printAll(p, report.AppsWithout(ctx, ts.db.Reader, ts.tenant.ID, c.Cannot))
		}
		return printAll(p, report.Apps(ctx, ts.db.Reader, ts.tenant.ID))
	})
}

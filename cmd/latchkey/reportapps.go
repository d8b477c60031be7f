package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// checks are the presence checks that can be required.
var checks = []policy.Presence{policy.Pick, policy.Enter, policy.SixDigits}

type appsRow struct {
	Platform       identity.Platform `json:"platform"`
	App            string            `json:"app"`              // and version
	Serial         string            `json:"serial,omitempty"` // of one, where single ones were asked for
	User           string            `json:"user,omitempty"`
	Authenticators int64             `json:"authenticators"`
	Cannot         []string          `json:"cannot"`          // presence checks
	Least          string            `json:"least,omitempty"` // version that can do the check asked for
}

var apps = sheet[appsRow]{
	head: []string{"PLATFORM", "APP", "USER", "SERIAL", "AUTHENTICATORS", "CANNOT", "LEAST VERSION"},
	row: func(a appsRow) []string {
		return []string{string(a.Platform), a.App, a.User, a.Serial, strconv.FormatInt(a.Authenticators, 10), strings.Join(a.Cannot, ", "), a.Least}
	},
	csvHead: []string{"platform", "app", "user", "serial", "authenticators", "cannot", "least"},
	csvRow: func(a appsRow) []string {
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
	if c.Cannot != "" && !slices.Contains(checks, c.Cannot) {
		return refuse("--cannot is one of %s", strings.Join(stringsOf(checks), ", "))
	}
	return s.inTenant(ctx, func(h house) error {
		p, err := apps.printer(s, c.CSV)
		if err != nil {
			return err
		}
		return printAll(p, func(yield func(appsRow, error) bool) {
			var last appsRow
			for a, err := range h.db.Authenticators().Apps(ctx, h.tenant.ID) {
				row := rowOfApps(a, c.Cannot)
				switch {
				case err != nil:
					yield(row, err)
					return
				case c.Cannot != "":
					if slices.Contains(row.Cannot, string(c.Cannot)) && !yield(row, nil) {
						return
					}
				case row.Platform == last.Platform && row.App == last.App && slices.Equal(row.Cannot, last.Cannot):
					last.Authenticators++
				default:
					if last.Authenticators > 0 && !yield(last, nil) {
						return
					}
					last = row
				}
			}
			if c.Cannot == "" && last.Authenticators > 0 {
				yield(last, nil)
			}
		})
	})
}

// rowOfApps is one app: for itself where a check was asked for, and else as the
// first of its kind.
func rowOfApps(a store.App, asked policy.Presence) appsRow {
	row := appsRow{Platform: a.Platform, App: a.Version, Authenticators: 1, Cannot: []string{}}
	for _, check := range checks {
		if !slices.Contains(a.Capabilities, check.Capability()) {
			row.Cannot = append(row.Cannot, string(check))
		}
	}
	if asked != "" {
		row.Serial, row.User, row.Least = a.Serial, a.User, push.MinVersion(a.Version, asked.Capability())
	}
	return row
}

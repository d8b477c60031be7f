package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store"
)

// tookOf is how many seconds the answer took; empty where there was none.
func tookOf(p report.Push) string {
	if p.Seconds == nil {
		return ""
	}
	return strconv.FormatInt(*p.Seconds, 10)
}

var pushes = columns[report.Push]{
	head: []string{"TIME", "AS", "USER", "APPLICATION", "FROM", "PLACE", "CHECK", "OUTCOME", "SERIAL", "SECONDS"},
	row: func(p report.Push) []string {
		return []string{formatTime(p.At), p.Name, p.User, p.Application, p.IP, p.Place, p.Presence, p.Outcome, p.Serial, tookOf(p)}
	},
	csvHead: []string{"time", "name", "user", "user_id", "application", "ip", "place", "presence", "outcome", "serial", "seconds", "id", "journey"},
	csvRow: func(p report.Push) []string {
		return []string{p.At.Format(time.RFC3339), p.Name, p.User, p.UserID, p.Application, p.IP, p.Place, p.Presence, p.Outcome, p.Serial,
			tookOf(p), p.ID, p.Journey}
	},
}

type reportPush struct {
	reportFilter
	Outcome string `placeholder:"OUTCOME" help:"Only of an outcome: approved, denied-not-me, denied-mistake, wrong-number, expired, superseded, cancelled, resync-required, no-longer-allowed; or waiting."`
}

func (reportPush) Help() string {
	return `Each push and what became of it, newest first: when, under which name as typed, for which application, from where, with which presence check, how it ended, on which authenticator, and how many seconds that took.

Examples:

    latchkey report push --since 24h --outcome denied-not-me

    latchkey report push --since 2026-07-01 --until 2026-08-01 --limit 0 --csv > july.csv`
}

// filter returns the flags as the store's filter.
func (c *reportPush) filter(ctx context.Context, ts tenantScope) (store.PushFilter, error) {
	f, err := c.reportFilter.filter(ctx, ts)
	if err != nil {
		return store.PushFilter{}, err
	}
	asked := store.PushFilter{User: f.User, Since: f.Since, Until: f.Until, Limit: f.Limit, Waiting: c.Outcome == report.Waiting}
	if c.Outcome == "" || asked.Waiting {
		return asked, nil
	}
	asked.Outcome = store.PushOutcome(c.Outcome)
	if all := stringsOf(push.Outcomes); !slices.Contains(all, c.Outcome) {
		return asked, withNearest(identity.NotFound, "outcome", c.Outcome, slices.Values(append(all, report.Waiting)))
	}
	return asked, nil
}

// Run reports pushes, newest first.
func (c *reportPush) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		f, err := c.filter(ctx, ts)
		if err != nil {
			return err
		}
		p, err := pushes.printer(s, c.CSV)
		if err != nil {
			return err
		}
		return printAll(p, report.Pushes(ctx, ts.db.Reader, ts.tenant.ID, f))
	})
}

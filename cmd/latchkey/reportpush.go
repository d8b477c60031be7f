package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// waiting is how a push stands that can still be answered.
const waiting = "waiting"

type pushRow struct {
	At          time.Time `json:"at"`
	Name        string    `json:"name"` // as typed; empty once the user was removed
	User        string    `json:"user"` // the name, or the id of one who was removed
	UserID      string    `json:"user_id"`
	Application string    `json:"application"`
	IP          string    `json:"ip,omitempty"`
	Place       string    `json:"place,omitempty"`
	Presence    string    `json:"presence"`
	Outcome     string    `json:"outcome"`
	Serial      string    `json:"serial,omitempty"`  // of the authenticator that answered
	Seconds     *int64    `json:"seconds,omitempty"` // until it did
	ID          string    `json:"id"`
	Journey     string    `json:"journey"`
}

func (n *names) push(ctx context.Context, p push.HistoryEntry) pushRow {
	row := pushRow{At: p.CreatedAt, Name: p.Name, User: n.user(ctx, p.User), UserID: p.User, Application: p.Application, IP: p.IP,
		Place: p.Place, Presence: string(p.Presence), Outcome: string(p.Outcome), Serial: n.serial(ctx, p.Authenticator), ID: p.ID, Journey: p.Journey}
	if p.Outcome == "" {
		row.Outcome = waiting
	}
	if p.Answered {
		seconds := int64(p.ResponseTime.Seconds())
		row.Seconds = &seconds
	}
	return row
}

// took is how many seconds the answer took; empty where there was none.
func (p pushRow) took() string {
	if p.Seconds == nil {
		return ""
	}
	return strconv.FormatInt(*p.Seconds, 10)
}

var pushes = sheet[pushRow]{
	head: []string{"TIME", "AS", "USER", "APPLICATION", "FROM", "PLACE", "CHECK", "OUTCOME", "SERIAL", "SECONDS"},
	row: func(p pushRow) []string {
		return []string{when(p.At), p.Name, p.User, p.Application, p.IP, p.Place, p.Presence, p.Outcome, p.Serial, p.took()}
	},
	csvHead: []string{"time", "name", "user", "user_id", "application", "ip", "place", "presence", "outcome", "serial", "seconds", "id", "journey"},
	csvRow: func(p pushRow) []string {
		return []string{p.At.Format(time.RFC3339), p.Name, p.User, p.UserID, p.Application, p.IP, p.Place, p.Presence, p.Outcome, p.Serial,
			p.took(), p.ID, p.Journey}
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

// filter is what was asked for.
func (c *reportPush) filter(ctx context.Context, h house) (store.PushFilter, error) {
	f, err := c.reportFilter.filter(ctx, h)
	if err != nil {
		return store.PushFilter{}, err
	}
	asked := store.PushFilter{User: f.User, Since: f.Since, Until: f.Until, Limit: f.Limit, Waiting: c.Outcome == waiting}
	if c.Outcome == "" || asked.Waiting {
		return asked, nil
	}
	asked.Outcome = store.PushOutcome(c.Outcome)
	if all := stringsOf(push.Outcomes); !slices.Contains(all, c.Outcome) {
		return asked, unknown(identity.NotFound, "outcome", c.Outcome, slices.Values(append(all, waiting)))
	}
	return asked, nil
}

// Run reports pushes, newest first.
func (c *reportPush) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		f, err := c.filter(ctx, h)
		if err != nil {
			return err
		}
		p, err := pushes.printer(s, c.CSV)
		if err != nil {
			return err
		}
		names := h.names()
		return printAll(p, func(yield func(pushRow, error) bool) {
			for one, err := range push.History(ctx, h.db.Reader, h.tenant.ID, f) {
				var row pushRow
				if err == nil {
					row = names.push(ctx, one)
				}
				if !yield(row, err) {
					return
				}
			}
		})
	})
}

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store"
)

// actorOf is the name of who did it or, if there is none, the kind of actor.
func actorOf(e report.Event) string { return cmp.Or(e.ActorName, e.Actor) }

// events is how events are shown. What was removed is shown to people by its id.
var events = columns[report.Event]{
	head: []string{"TIME", "EVENT", "BY", "FROM", "USER", "APPLICATION", "AUTHENTICATOR", "WHAT"},
	row: func(e report.Event) []string {
		return []string{formatTime(e.At), string(e.Kind), actorOf(e), e.IP, cmp.Or(e.UserName, e.User),
			cmp.Or(e.ApplicationName, e.Application), cmp.Or(e.Serial, e.Authenticator), details(e)}
	},
	csvHead: []string{"time", "event", "actor", "actor_id", "actor_name", "ip", "user", "user_name", "application", "application_name",
		"authenticator", "serial", "journey", "reason", "data", "personal", "erased", "id", "seq"},
	csvRow: func(e report.Event) []string {
		return []string{e.At.Format(time.RFC3339Nano), string(e.Kind), e.Actor, e.ActorID, e.ActorName, e.IP, e.User, e.UserName,
			e.Application, e.ApplicationName, e.Authenticator, e.Serial, e.Journey, e.Reason, jsonCell(e.Data), jsonCell(e.Personal),
			strconv.FormatBool(e.Erased), e.ID, strconv.FormatInt(e.Seq, 10)}
	},
}

// jsonCell is a map as JSON in a cell; empty for an empty one.
func jsonCell(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "" // strings are always JSON
	}
	return string(text)
}

// An auditFilter has the flags that all commands of the audit have.
type auditFilter struct {
	Action  string `aliases:"kind" placeholder:"KIND" help:"Only events of a kind, such as login.failure, or of all that begin so, such as login."`
	User    string `placeholder:"USER" help:"Only events about a user, by name, or by id once removed."`
	Actor   string `placeholder:"WHO" help:"Only events by a name at the command line, an id, or a kind: browser, user, authenticator, application, operator, command line, system."`
	Journey string `placeholder:"ID" help:"Only events of one attempt to log in."`
	Since   string `placeholder:"WHEN" help:"Only events since a time (2026-07-01, 2026-07-01T08:00:00Z) or for so long (90m, 24h)."`
	Until   string `placeholder:"WHEN" help:"Only events before a time, or up to so long ago."`
	Whole   bool   `name:"installation" help:"Only events of the installation, which belong to no tenant, such as a tenant's removal."`
	Follow  bool   `short:"f" help:"Go on with each new event as it happens, until interrupted."`
}

// filter returns the flags as the store's filter.
func (c auditFilter) filter(ctx context.Context, ts tenantScope) (store.EventFilter, error) {
	f := store.EventFilter{Journey: c.Journey, Actor: c.Actor}
	var err error
	if f.Kinds, err = kindsOf(c.Action); err != nil {
		return f, err
	}
	if c.Follow && c.Until != "" {
		return f, usageErrorf("--follow and --until exclude each other")
	}
	if f.Since, err = parseTime("since", c.Since, ts.db.Now()); err != nil {
		return f, err
	}
	if f.Until, err = parseTime("until", c.Until, ts.db.Now()); err != nil {
		return f, err
	}
	f.User, err = ts.userID(ctx, c.User)
	return f, err
}

// in runs f in the tenant that the command works in or, for the whole installation, in
// none.
func (c auditFilter) in(ctx context.Context, s *shell, f func(ts tenantScope) error) error {
	if !c.Whole {
		return s.inTenant(ctx, f)
	}
	return s.database(ctx, func(db *store.DB) error { return f(tenantScope{db: db, who: s.principal()}) })
}

// kindsOf are the kinds of event of a name, or that begin with it.
func kindsOf(action string) ([]audit.Kind, error) {
	if action == "" {
		return nil, nil
	}
	kinds := audit.KindsOf(action)
	if len(kinds) == 0 {
		return nil, withNearest(identity.NotFound, "kind of event", action, slices.Values(stringsOf(slices.Sorted(maps.Keys(audit.Kinds)))))
	}
	return kinds, nil
}

// userID is the id of a user by name. Users who were removed have only an id.
func (ts tenantScope) userID(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if identity.IsID(identity.UserID, name) {
		if u, err := ts.db.Users().Get(ctx, ts.tenant.ID, name); err == nil {
			return u.ID, nil
		}
	}
	u, err := ts.user(ctx, name)
	return u.ID, err
}

// show prints events until there are no more or, with --follow, until ctx ends, which
// is no error then.
func (c auditFilter) show(ctx context.Context, ts tenantScope, f store.EventFilter, p printer[report.Event]) error {
	if !c.Follow {
		return printAll(p, report.Events(ctx, ts.db.Reader, ts.tenant.ID, f))
	}
	for e, err := range report.FollowEvents(ctx, ts.db.Reader, ts.tenant.ID, f) {
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = p.print(e)
		}
		if err == nil {
			err = p.flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type auditList struct {
	auditFilter
	CSV   bool `name:"csv" help:"Say it as CSV, for spreadsheets."`
	Limit int  `default:"100" help:"How many at most; following, how many of the past."`
}

func (auditList) Help() string {
	return `With --follow the newest come last, and --json is an object a line.

Examples:

    latchkey audit list --user anna --action login.failure --since 24h
    latchkey audit list --action user --follow`
}

// Run lists events, newest first.
func (c *auditList) Run(ctx context.Context, s *shell) error {
	if c.Limit < 1 {
		return usageErrorf("--limit must be 1 or more")
	}
	return c.in(ctx, s, func(ts tenantScope) error {
		f, err := c.filter(ctx, ts)
		if err != nil {
			return err
		}
		f.Limit = c.Limit
		p, err := events.printer(s, c.CSV)
		if err != nil {
			return err
		}
		if c.Follow && s.flags.JSON {
			p = &linePrinter[report.Event]{bufio.NewWriter(s.stdout)}
		}
		return c.show(ctx, ts, f, p)
	})
}

type auditExport struct {
	auditFilter
}

func (auditExport) Help() string {
	return `All events, oldest first, as CSV or, with --json, as JSON lines. However many there are, they pass through and take no memory. A cell that a spreadsheet would take for a formula begins with an apostrophe.

Examples:

    latchkey audit export --since 2026-07-01 --until 2026-08-01 > july.csv
    latchkey audit export --json --follow | logger -t latchkey`
}

// Run exports events, oldest first.
func (c *auditExport) Run(ctx context.Context, s *shell) error {
	return c.in(ctx, s, func(ts tenantScope) error {
		f, err := c.filter(ctx, ts)
		if err != nil {
			return err
		}
		f.Oldest, f.Limit = true, -1
		if s.flags.JSON {
			return c.show(ctx, ts, f, &linePrinter[report.Event]{bufio.NewWriter(s.stdout)})
		}
		p, err := events.printer(s, true)
		if err != nil {
			return err
		}
		return c.show(ctx, ts, f, p)
	})
}

// details is what the other columns of a table do not say of an event, in one line.
func details(e report.Event) string {
	var parts []string
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	said := map[string]string{"actor": e.ActorName, "ip": e.IP, "serial": e.Serial, "name": e.UserName, "application": e.ApplicationName}
	for _, personal := range []map[string]string{e.Personal, e.Data} {
		for _, key := range slices.Sorted(maps.Keys(personal)) {
			if other, ok := said[key]; personal[key] != "" && (!ok || other != personal[key]) {
				parts = append(parts, fmt.Sprintf("%s=%s", key, truncate(personal[key])))
			}
		}
	}
	if e.Erased {
		parts = append(parts, "(erased)")
	}
	return strings.Join(parts, " ")
}

// truncate shortens a text for a table; with --json it is whole.
func truncate(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// parseTime reads the value of a flag: a time, or how long ago.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageErrorf("--%s %q is neither a time such as 2026-07-01 nor a duration such as 24h", flag, text)
}

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

type eventRow struct {
	ID            string            `json:"id"`
	Seq           int64             `json:"seq,omitempty"`
	At            time.Time         `json:"at"`
	Kind          audit.Kind        `json:"kind"`
	Actor         string            `json:"actor"`
	ActorID       string            `json:"actor_id,omitempty"`
	ActorName     string            `json:"actor_name,omitempty"`
	IP            string            `json:"ip,omitempty"`
	User          string            `json:"user,omitempty"`
	Application   string            `json:"application,omitempty"`
	Authenticator string            `json:"authenticator,omitempty"`
	Journey       string            `json:"journey,omitempty"`
	Reason        string            `json:"reason,omitempty"`
	Data          map[string]string `json:"data,omitempty"`
	Personal      map[string]string `json:"personal,omitempty"`
	Erased        bool              `json:"erased,omitempty"`
}

func rowOfEvent(e audit.Event) eventRow {
	return eventRow{ID: e.ID, Seq: e.Seq, At: e.At, Kind: e.Kind, Actor: string(e.Actor.Kind), ActorID: e.Actor.ID, ActorName: e.Actor.Name,
		IP: e.Actor.IP, User: e.User, Application: e.Application, Authenticator: e.Authenticator, Journey: e.Journey,
		Reason: e.Reason, Data: e.Data, Personal: e.Personal, Erased: e.Erased}
}

type auditList struct {
	Kind    audit.Kind `placeholder:"KIND" help:"Only events of a kind, such as login.failure."`
	User    string     `placeholder:"USER" help:"Only events about a user."`
	Journey string     `placeholder:"ID" help:"Only events of one attempt to log in."`
	Since   string     `placeholder:"WHEN" help:"Only events since a time (2026-07-01, 2026-07-01T08:00:00Z) or for so long (90m, 24h)."`
	Limit   int        `default:"100" help:"How many at most."`
}

func (auditList) Help() string {
	return `Example:

    latchkey audit list --user anna --kind login.failure --since 24h`
}

// Run lists events, newest first.
func (c *auditList) Run(ctx context.Context, s *shell) error {
	if c.Limit < 1 {
		return refuse("--limit must be 1 or more")
	}
	filter := store.EventFilter{Kind: c.Kind, Journey: c.Journey, Limit: c.Limit}
	if c.Kind != "" && !audit.Kinds[c.Kind] {
		var all []string
		for kind := range audit.Kinds {
			all = append(all, string(kind))
		}
		return unknown(identity.NotFound, "kind of event", string(c.Kind), slices.Values(slices.Sorted(slices.Values(all))))
	}
	return s.inTenant(ctx, func(h house) error {
		var err error
		if filter.Since, err = since(c.Since, h.db.Now()); err != nil {
			return err
		}
		if c.User != "" {
			u, err := h.user(ctx, c.User)
			if err != nil {
				return err
			}
			filter.User = u.ID
		}
		var rows []eventRow
		for e, err := range h.db.Events(ctx, h.tenant.ID, filter) {
			if err != nil {
				return err
			}
			rows = append(rows, rowOfEvent(e))
		}
		return list(s, rows, []string{"TIME", "EVENT", "BY", "FROM", "WHAT"}, func(e eventRow) []string {
			by := e.Actor
			if e.ActorName != "" {
				by = e.ActorName
			}
			return []string{when(e.At), string(e.Kind), by, e.IP, e.what()}
		})
	})
}

// what tells the rest of an event in a line.
func (e eventRow) what() string {
	var parts []string
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	for _, personal := range []map[string]string{e.Personal, e.Data} {
		for _, key := range slices.Sorted(maps.Keys(personal)) {
			if key != "actor" && key != "ip" {
				parts = append(parts, fmt.Sprintf("%s=%s", key, short(personal[key])))
			}
		}
	}
	if e.Erased {
		parts = append(parts, "(erased)")
	}
	return strings.Join(parts, " ")
}

// short keeps a document from filling the screen; JSON has it whole.
func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// since reads a moment, or how long ago it was.
func since(text string, now time.Time) (time.Time, error) {
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
	return time.Time{}, refuse("--since %q is neither a time such as 2026-07-01 nor a duration such as 24h", text)
}

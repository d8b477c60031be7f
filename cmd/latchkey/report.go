package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A reportFilter is what the reports have in common.
type reportFilter struct {
	User  string `placeholder:"USER" help:"Only of a user, by name, or by id once removed."`
	Since string `placeholder:"WHEN" help:"Only since a time (2026-07-01, 2026-07-01T08:00:00Z) or for so long (90m, 24h)."`
	Until string `placeholder:"WHEN" help:"Only before a time, or up to so long ago."`
	CSV   bool   `name:"csv" help:"Say it as CSV, for spreadsheets."`
	Limit int    `default:"100" help:"How many at most; 0 is all."`
}

func (c reportFilter) filter(ctx context.Context, h house) (f store.EventFilter, err error) {
	f.Limit = c.Limit
	switch {
	case c.Limit < 0:
		return f, refuse("--limit must be 1 or more, or 0 for all")
	case c.Limit == 0:
		f.Limit = -1
	}
	if f.Since, err = moment("since", c.Since, h.db.Now()); err != nil {
		return f, err
	}
	if f.Until, err = moment("until", c.Until, h.db.Now()); err != nil {
		return f, err
	}
	f.User, err = h.userID(ctx, c.User)
	return f, err
}

// names finds what ids are called, and remembers some of them: a report names
// the same few applications, and often the same people, over and over.
type names struct {
	house
	known map[string]string
}

const namesKept = 10_000

func (h house) names() *names { return &names{h, make(map[string]string)} }

func (n *names) of(id string, find func() (string, error)) string {
	if id == "" {
		return ""
	}
	name, ok := n.known[id]
	if ok {
		return name
	}
	name, err := find()
	if err != nil || name == "" {
		name = id // removed
	}
	if len(n.known) >= namesKept {
		clear(n.known)
	}
	n.known[id] = name
	return name
}

func (n *names) user(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		u, err := n.db.Users().Get(ctx, n.tenant.ID, id)
		return u.Name, err
	})
}

func (n *names) application(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		a, err := n.db.Applications().Get(ctx, n.tenant.ID, id)
		return a.Name, err
	})
}

func (n *names) serial(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		a, err := n.db.Authenticators().Get(ctx, n.tenant.ID, id)
		return a.Serial, err
	})
}

type enrollmentRow struct {
	At          time.Time     `json:"at"`
	User        string        `json:"user"` // the name, or the id of one who was removed
	UserID      string        `json:"user_id"`
	IP          string        `json:"ip,omitempty"`
	Application string        `json:"application,omitempty"`
	Platform    string        `json:"platform,omitempty"`
	Template    string        `json:"template,omitempty"`
	Serial      string        `json:"serial,omitempty"`
	Outcome     audit.Outcome `json:"outcome"`
	Reason      string        `json:"reason,omitempty"`
	Stages      []audit.Stage `json:"stages"`
	Journey     string        `json:"journey,omitempty"`
}

// stages tells how far an enrolment came, each with the seconds since it began.
func (e enrollmentRow) stages() string {
	var parts []string
	for _, stage := range e.Stages {
		parts = append(parts, fmt.Sprintf("%s +%ds", strings.TrimPrefix(string(stage.Kind), "enrolment."), int(stage.At.Sub(e.At).Seconds())))
	}
	return strings.Join(parts, ", ")
}

var enrollments = sheet[enrollmentRow]{
	head: []string{"BEGAN", "USER", "FROM", "PLATFORM", "TEMPLATE", "SERIAL", "OUTCOME", "STAGES"},
	row: func(e enrollmentRow) []string {
		outcome := string(e.Outcome)
		if e.Reason != "" {
			outcome += ": " + e.Reason
		}
		return []string{when(e.At), e.User, e.IP, e.Platform, e.Template, e.Serial, outcome, e.stages()}
	},
	csvHead: []string{"began", "user", "user_id", "ip", "application", "platform", "template", "serial", "outcome", "reason", "stages", "journey"},
	csvRow: func(e enrollmentRow) []string {
		return []string{e.At.Format(time.RFC3339), e.User, e.UserID, e.IP, e.Application, e.Platform, e.Template, e.Serial,
			string(e.Outcome), e.Reason, e.stages(), e.Journey}
	},
}

type reportEnrollments struct {
	reportFilter
}

func (reportEnrollments) Help() string {
	return `Every try of a user to set up an authenticator: who, when, from where, on which platform, each stage with its time, and what became of it.

Example:

    latchkey report enrollments --since 168h --csv > enrolments.csv`
}

// Run reports enrolments, newest first.
func (c *reportEnrollments) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		f, err := c.filter(ctx, h)
		if err != nil {
			return err
		}
		p, err := enrollments.printer(s, c.CSV)
		if err != nil {
			return err
		}
		names := h.names()
		return printAll(p, func(yield func(enrollmentRow, error) bool) {
			for all, err := range h.db.Events().Enrollments(ctx, h.tenant.ID, f) {
				var row enrollmentRow
				if err == nil {
					row = names.enrollment(ctx, audit.EnrollmentOf(all, h.db.Now()))
				}
				if !yield(row, err) {
					return
				}
			}
		})
	})
}

func (n *names) enrollment(ctx context.Context, e audit.Enrollment) enrollmentRow {
	return enrollmentRow{At: e.At, User: n.user(ctx, e.User), UserID: e.User, IP: e.IP, Application: n.application(ctx, e.Application),
		Platform: e.Platform, Template: e.Template, Serial: n.serial(ctx, e.Authenticator), Outcome: e.Outcome, Reason: e.Reason,
		Stages: e.Stages, Journey: e.Journey}
}

type activityRow struct {
	At          time.Time  `json:"at"`
	User        string     `json:"user"` // the name, as typed where nobody has it
	UserID      string     `json:"user_id,omitempty"`
	Application string     `json:"application,omitempty"`
	IP          string     `json:"ip,omitempty"`
	Place       string     `json:"place,omitempty"`
	Method      string     `json:"method,omitempty"`
	Serial      string     `json:"serial,omitempty"`
	Result      string     `json:"result"`
	Reason      string     `json:"reason,omitempty"`
	Shown       string     `json:"shown,omitempty"` // on the phone, with a push
	Kind        audit.Kind `json:"kind"`
	Journey     string     `json:"journey,omitempty"`
}

var activities = sheet[activityRow]{
	head: []string{"TIME", "USER", "APPLICATION", "FROM", "PLACE", "METHOD", "SERIAL", "RESULT"},
	row: func(a activityRow) []string {
		result := string(a.Kind)
		for _, more := range []string{a.Reason, a.Shown} {
			if more != "" {
				result += ": " + more
			}
		}
		return []string{when(a.At), a.User, a.Application, a.IP, a.Place, a.Method, a.Serial, result}
	},
	csvHead: []string{"time", "user", "user_id", "application", "ip", "place", "method", "serial", "result", "reason", "shown", "event", "journey"},
	csvRow: func(a activityRow) []string {
		return []string{a.At.Format(time.RFC3339Nano), a.User, a.UserID, a.Application, a.IP, a.Place, a.Method, a.Serial, a.Result, a.Reason,
			a.Shown, string(a.Kind), a.Journey}
	},
}

type reportActivity struct {
	reportFilter
}

func (reportActivity) Help() string {
	return `Every step of people logging in: time, user, application, address, method, serial, result.

Example:

    latchkey report activity --user anna --since 24h`
}

// Run reports authentication activity, newest first.
func (c *reportActivity) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(h house) error {
		f, err := c.filter(ctx, h)
		if err != nil {
			return err
		}
		f.Kinds = audit.ActivityKinds
		p, err := activities.printer(s, c.CSV)
		if err != nil {
			return err
		}
		names := h.names()
		return printAll(p, func(yield func(activityRow, error) bool) {
			for e, err := range h.db.Events().List(ctx, h.tenant.ID, f) {
				var row activityRow
				if err == nil {
					row = names.activity(ctx, audit.ActivityOf(e))
				}
				if !yield(row, err) {
					return
				}
			}
		})
	})
}

func (n *names) activity(ctx context.Context, a audit.Activity) activityRow {
	row := activityRow{At: a.At, User: a.Name, UserID: a.User, Application: n.application(ctx, a.Application), IP: a.IP, Place: a.Place,
		Method: a.Method, Serial: a.Serial, Result: a.Result, Reason: a.Reason, Shown: a.Shown, Kind: a.Kind, Journey: a.Journey}
	if a.User != "" {
		row.User = n.user(ctx, a.User)
	}
	return row
}

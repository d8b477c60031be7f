package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A reportFilter has the flags that all reports have.
type reportFilter struct {
	User  string `placeholder:"USER" help:"Only of a user, by name, or by id once removed."`
	Since string `placeholder:"WHEN" help:"Only since a time (2026-07-01, 2026-07-01T08:00:00Z) or for so long (90m, 24h)."`
	Until string `placeholder:"WHEN" help:"Only before a time, or up to so long ago."`
	CSV   bool   `name:"csv" help:"Say it as CSV, for spreadsheets."`
	Limit int    `default:"100" help:"How many at most; 0 is all."`
}

func (c reportFilter) filter(ctx context.Context, ts tenantScope) (f store.EventFilter, err error) {
	f.Limit = c.Limit
	switch {
	case c.Limit < 0:
		return f, usageErrorf("--limit must be 1 or more, or 0 for all")
	case c.Limit == 0:
		f.Limit = -1
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

// stagesOf tells how far an enrolment came, each with the seconds since it began.
func stagesOf(e report.Enrollment) string {
	var parts []string
	for _, stage := range e.Stages {
		parts = append(parts, fmt.Sprintf("%s +%ds", strings.TrimPrefix(string(stage.Kind), "enrolment."), int(stage.At.Sub(e.At).Seconds())))
	}
	return strings.Join(parts, ", ")
}

var enrollments = columns[report.Enrollment]{
	head: []string{"BEGAN", "USER", "FROM", "PLATFORM", "TEMPLATE", "SERIAL", "OUTCOME", "STAGES"},
	row: func(e report.Enrollment) []string {
		outcome := string(e.Outcome)
		if e.Reason != "" {
			outcome += ": " + e.Reason
		}
		return []string{formatTime(e.At), e.User, e.IP, e.Platform, e.Template, e.Serial, outcome, stagesOf(e)}
	},
	csvHead: []string{"began", "user", "user_id", "ip", "application", "platform", "template", "serial", "outcome", "reason", "stages", "journey"},
	csvRow: func(e report.Enrollment) []string {
		return []string{e.At.Format(time.RFC3339), e.User, e.UserID, e.IP, e.Application, e.Platform, e.Template, e.Serial,
			string(e.Outcome), e.Reason, stagesOf(e), e.Journey}
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		f, err := c.filter(ctx, ts)
		if err != nil {
			return err
		}
		p, err := enrollments.printer(s, c.CSV)
		if err != nil {
			return err
		}
		return printAll(p, report.Enrollments(ctx, ts.db.Reader, ts.tenant.ID, f))
	})
}

var activities = columns[report.Activity]{
	head: []string{"TIME", "USER", "APPLICATION", "FROM", "PLACE", "METHOD", "SERIAL", "RESULT"},
	row: func(a report.Activity) []string {
		result := string(a.Kind)
		for _, more := range []string{a.Reason, a.Shown} {
			if more != "" {
				result += ": " + more
			}
		}
		return []string{formatTime(a.At), a.User, a.Application, a.IP, a.Place, a.Method, a.Serial, result}
	},
	csvHead: []string{"time", "user", "user_id", "application", "ip", "place", "method", "serial", "result", "reason", "shown", "event", "journey"},
	csvRow: func(a report.Activity) []string {
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
	return s.inTenant(ctx, func(ts tenantScope) error {
		f, err := c.filter(ctx, ts)
		if err != nil {
			return err
		}
		p, err := activities.printer(s, c.CSV)
		if err != nil {
			return err
		}
		return printAll(p, report.Activities(ctx, ts.db.Reader, ts.tenant.ID, f))
	})
}

package report

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An Enrollment is a try of a user to set up an authenticator.
type Enrollment struct {
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

// Enrollments yields the tries to set up an authenticator, newest first.
func Enrollments(ctx context.Context, r store.Reader, tenant string, f store.EventFilter) iter.Seq2[Enrollment, error] {
	names := newNames(r, tenant)
	return each(r.Events().Enrollments(ctx, tenant, f), func(all []audit.Event) Enrollment {
		return names.enrollment(ctx, audit.EnrollmentOf(all, r.Now()))
	})
}

func (n *names) enrollment(ctx context.Context, e audit.Enrollment) Enrollment {
	return Enrollment{At: e.At, User: n.user(ctx, e.User), UserID: e.User, IP: e.IP, Application: n.application(ctx, e.Application),
		Platform: e.Platform, Template: e.Template, Serial: n.serial(ctx, e.Authenticator), Outcome: e.Outcome, Reason: e.Reason,
		Stages: e.Stages, Journey: e.Journey}
}

// An Activity is a step of somebody who logs in.
type Activity struct {
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

// Activities yields the steps of people who log in, newest first.
func Activities(ctx context.Context, r store.Reader, tenant string, f store.EventFilter) iter.Seq2[Activity, error] {
	f.Kinds = audit.ActivityKinds
	names := newNames(r, tenant)
	return each(r.Events().List(ctx, tenant, f), func(e audit.Event) Activity { return names.activity(ctx, audit.ActivityOf(e)) })
}

func (n *names) activity(ctx context.Context, a audit.Activity) Activity {
	row := Activity{At: a.At, User: a.Name, UserID: a.User, Application: n.application(ctx, a.Application), IP: a.IP, Place: a.Place,
		Method: a.Method, Serial: a.Serial, Result: a.Result, Reason: a.Reason, Shown: a.Shown, Kind: a.Kind, Journey: a.Journey}
	if a.User != "" {
		row.User = n.user(ctx, a.User)
	}
	if row.Serial == "" {
		row.Serial = n.serial(ctx, a.Authenticator)
	}
	return row
}

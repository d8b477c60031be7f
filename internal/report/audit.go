package report

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An Event is an event of the audit log, with what its ids are called today. A name is
// empty where there is no id, and where what had it was removed.
type Event struct {
	ID              string            `json:"id"`
	Seq             int64             `json:"seq,omitempty"`
	At              time.Time         `json:"at"`
	Kind            audit.Kind        `json:"kind"`
	Actor           string            `json:"actor"`
	ActorID         string            `json:"actor_id,omitempty"`
	ActorName       string            `json:"actor_name,omitempty"`
	IP              string            `json:"ip,omitempty"`
	User            string            `json:"user,omitempty"` // id
	UserName        string            `json:"user_name,omitempty"`
	Application     string            `json:"application,omitempty"` // id
	ApplicationName string            `json:"application_name,omitempty"`
	Authenticator   string            `json:"authenticator,omitempty"` // id
	Serial          string            `json:"serial,omitempty"`        // of the authenticator
	Journey         string            `json:"journey,omitempty"`
	Reason          string            `json:"reason,omitempty"`
	Data            map[string]string `json:"data,omitempty"`
	Personal        map[string]string `json:"personal,omitempty"`
	Erased          bool              `json:"erased,omitempty"`
}

// Events yields events of the audit log, newest first or as the filter says.
func Events(ctx context.Context, r store.Reader, tenant string, f store.EventFilter) iter.Seq2[Event, error] {
	names := newNames(r, tenant)
	return each(r.Events().List(ctx, tenant, f), func(e audit.Event) Event { return names.event(ctx, e) })
}

// FollowEvents yields the newest events, oldest first, and then each new one, until ctx ends
// (see [store.EventReads.Follow]). No name is remembered from one to the next, since it may
// be changed meanwhile.
func FollowEvents(ctx context.Context, r store.Reader, tenant string, f store.EventFilter) iter.Seq2[Event, error] {
	return each(r.Events().Follow(ctx, tenant, f), func(e audit.Event) Event { return newNames(r, tenant).event(ctx, e) })
}

func (n *names) event(ctx context.Context, e audit.Event) Event {
	row := Event{ID: e.ID, Seq: e.Seq, At: e.At, Kind: e.Kind, Actor: string(e.Actor.Kind), ActorID: e.Actor.ID, ActorName: e.Actor.Name,
		IP: e.Actor.IP, User: e.User, Application: e.Application, Authenticator: e.Authenticator, Journey: e.Journey,
		Reason: e.Reason, Data: e.Data, Personal: e.Personal, Erased: e.Erased}
	row.UserName = known(e.User, n.user(ctx, e.User))
	row.ApplicationName = known(e.Application, n.application(ctx, e.Application))
	row.Serial = known(e.Authenticator, n.serial(ctx, e.Authenticator))
	if row.Serial == "" {
		row.Serial = e.Data["serial"]
	}
	return row
}

// known is a name, or empty where it is the id, of which no name is known.
func known(id, name string) string {
	if name == id {
		return ""
	}
	return name
}

package report

import (
	"context"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Waiting is the outcome of a push that can still be answered.
const Waiting = "waiting"

// A Push is a push request, and what became of it.
type Push struct {
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

// Pushes yields push requests, newest first.
func Pushes(ctx context.Context, r store.Reader, tenant string, f store.PushFilter) iter.Seq2[Push, error] {
	names := newNames(r, tenant)
	return each(push.History(ctx, r, tenant, f), func(p push.HistoryEntry) Push { return names.push(ctx, p) })
}

func (n *names) push(ctx context.Context, p push.HistoryEntry) Push {
	row := Push{At: p.CreatedAt, Name: p.Name, User: n.user(ctx, p.User), UserID: p.User, Application: p.Application, IP: p.IP,
		Place: p.Place, Presence: string(p.Presence), Outcome: string(p.Outcome), Serial: n.serial(ctx, p.Authenticator), ID: p.ID, Journey: p.Journey}
	if p.Outcome == "" {
		row.Outcome = Waiting
	}
	if p.Answered {
		seconds := int64(p.ResponseTime.Seconds())
		row.Seconds = &seconds
	}
	return row
}

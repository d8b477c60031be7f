package idp

import (
	"context"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A RefusedRequest says why a request that came in an application's name was refused.
// Nothing proves that it was the application's.
type RefusedRequest struct {
	Application identity.Application
	Reason      string // one of the protocol's few words, such as "signature"
	Detail      string // in words for an operator
}

// refusalPause is for how long further refusals of one application for one reason are
// only counted: anybody can send bad requests in its name, and each would be a write.
const refusalPause = 10 * time.Second

// refusalCounts holds refusals that are not written yet. There are as many entries as
// applications times reasons, at most.
type refusalCounts struct {
	mu      sync.Mutex
	waiting map[refusalKey]*refusalCount
}

type refusalKey struct{ tenant, application, reason string }

type refusalCount struct {
	written time.Time
	more    int64 // since then
}

// due counts a refusal, and returns how many there are to write: none while the last one
// was written a moment ago.
func (r *refusalCounts) due(key refusalKey, now time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = make(map[refusalKey]*refusalCount)
	}
	c := r.waiting[key]
	if c == nil {
		c = new(refusalCount)
		r.waiting[key] = c
	}
	c.more++
	if since := now.Sub(c.written); since >= 0 && since < refusalPause {
		return 0
	}
	n := c.more
	c.written, c.more = now, 0
	return n
}

// RecordRefusal stores why a request was refused, the last of each reason, for the
// operator who asks about the application. A failure to store it is logged: the request
// is refused all the same.
func (p *IdP) RecordRefusal(ctx context.Context, refused RefusedRequest) {
	app := refused.Application
	detail := identity.CleanTyped(refused.Detail)
	n := p.refused.due(refusalKey{app.Tenant, app.ID, refused.Reason}, p.DB.Now())
	if n == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx) // a browser that has left changes nothing
	who := identity.Principal{Tenant: app.Tenant, Kind: identity.RelyingApplication, ID: app.ID, Name: app.Name}
	err := p.DB.InTx(ctx, who, func(tx *store.Tx) error {
		return tx.Applications().CountRefusal(ctx, app.Tenant, app.ID, store.RefusedRequests{Reason: refused.Reason, Detail: detail, Count: n})
	})
	if err != nil {
		p.Site.Log.WarnContext(ctx, "a refused request could not be stored", "application", app.ID, "err", err)
	}
}

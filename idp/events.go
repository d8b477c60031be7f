package idp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// heartbeat keeps proxies from closing a stream on which nothing happens.
const heartbeat = 15 * time.Second

// events tells a waiting page when to go on: as an event stream that says "go"
// and nothing else, or, asked without one, by 200 where it would say so and 204
// where it would not. The page then posts its form; what it is told there does
// not depend on the stream, which carries no secret and no address.
func (p *IdP) events(w http.ResponseWriter, r *http.Request) error {
	s, err := p.sit(r)
	if err != nil {
		return err
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		on, err := s.goesOn(r.Context(), r.URL.Query().Get("at"))
		if err != nil {
			return err
		}
		if on {
			w.WriteHeader(http.StatusOK)
		} else {
			w.WriteHeader(http.StatusNoContent)
		}
		return nil
	}
	tenant, id, at := s.tenant, s.view.Journey.ID, r.URL.Query().Get("at")
	p.Streams.Serve(w, r, func(stream *web.Stream) {
		if stream.Send(": here\n\n") {
			p.follow(stream, tenant, id, at)
		}
	})
	return nil
}

// follow watches a journey until it goes on from what a page shows, the browser
// leaves, or the server shuts down; the browser then comes again.
func (p *IdP) follow(stream *web.Stream, tenant identity.Tenant, id, at string) {
	ctx := stream.Context
	woken, stop := p.DB.Subscribe(store.JourneyTopic(id))
	defer stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		// Subscribed first, looked at then: nothing falls between the two.
		on, wait, err := p.glance(ctx, tenant, id, at)
		if err != nil && ctx.Err() == nil {
			p.Site.Log.WarnContext(ctx, "look at a waiting journey", "journey", id, "err", err)
		}
		if on {
			stream.Send("event: go\ndata: {}\n\n")
			return
		}
		expiry := time.NewTimer(wait)
		select {
		case <-woken:
		case <-expiry.C:
		case <-beat.C:
			if !stream.Send(": still here\n\n") {
				return
			}
		case <-ctx.Done():
			return
		}
		expiry.Stop()
	}
}

// glance says whether a waiting journey goes on, and if not, for how long there
// is nothing to look at. It keeps nothing of what it saw.
func (p *IdP) glance(ctx context.Context, tenant identity.Tenant, id, at string) (on bool, wait time.Duration, err error) {
	v, err := p.Engine.Look(ctx, tenant.ID, id)
	if err != nil {
		return false, holdTime, err
	}
	s := &sitting{idp: p, tenant: tenant, view: v}
	on, err = s.goesOn(ctx, at)
	return on, s.untilExpiry(), err
}

// goesOn reports whether there is something new for a page that shows what the
// address of its stream says.
func (s *sitting) goesOn(ctx context.Context, at string) (bool, error) {
	mark, err := s.mark(ctx)
	return s.at(mark) != at || s.view.Request.Outcome == store.PushApproved, err
}

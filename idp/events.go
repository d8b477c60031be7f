package idp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/web"
)

// heartbeat keeps proxies from closing a stream on which nothing happens.
const heartbeat = 15 * time.Second

// events tells a waiting page when to go on: as an event stream that says "go" and
// nothing else, or, asked without one, by 200 where it would say so and 204 where
// it would not. The page then posts its form; what it is told there does not
// depend on the stream, which carries no secret and no address.
func (p *IdP) events(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	b := p.browserAt(r, t)
	id, state := r.PathValue("journey"), r.URL.Query().Get("state")
	present, err := p.Engine.Look(r.Context(), b.Client, id)
	if err != nil {
		return err
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		status := http.StatusNoContent
		if present.State != state {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		return nil
	}
	c := journey.Client{Tenant: t, Binding: b.Binding} // a stream keeps nothing else of the request
	p.Streams.Serve(w, r, func(stream *web.Stream) {
		if stream.Send(": here\n\n") {
			p.follow(stream, c, id, state)
		}
	})
	return nil
}

// follow waits until the journey goes on from what a page shows, the browser
// leaves, or the server shuts down; the browser then comes again.
func (p *IdP) follow(stream *web.Stream, c journey.Client, id, state string) {
	for {
		ctx, cancel := context.WithTimeout(stream.Context, heartbeat)
		present, err := p.Engine.Wait(ctx, c, id, state)
		waited := ctx.Err() != nil
		cancel()
		switch {
		case stream.Context.Err() != nil:
			return
		case err != nil:
			p.Site.Log.WarnContext(stream.Context, "look at a waiting journey", "journey", id, "err", err)
			select {
			case <-time.After(time.Second): // the database may be back by then
			case <-stream.Context.Done():
				return
			}
		case present != state || !waited:
			stream.Send("event: go\ndata: {}\n\n")
			return
		default:
			if !stream.Send(": still here\n\n") {
				return
			}
		}
	}
}

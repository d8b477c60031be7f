package idp

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/store"
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
		on, err := s.goesOn(r)
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
	if err := patient(w); err != nil {
		return err
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if _, err := fmt.Fprint(w, ": here\n\n"); err == nil {
		_ = control.Flush() // a browser that has left shows in the context
		p.follow(r, s, func(text string) bool {
			_, err := fmt.Fprint(w, text)
			return err == nil && control.Flush() == nil
		})
	}
	return nil
}

// follow watches a journey until it goes on, the browser leaves, or the server
// shuts down; the browser then comes again.
func (p *IdP) follow(r *http.Request, s *sitting, send func(string) bool) {
	ctx := r.Context()
	woken, stop := p.DB.Subscribe(store.JourneyTopic(s.view.Journey.ID))
	defer stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		// Subscribed first, looked at then: nothing falls between the two.
		v, err := p.Engine.Look(ctx, s.tenant.ID, s.view.Journey.ID)
		on := false
		if err == nil {
			s.view = v
			on, err = s.goesOn(r)
		}
		if err != nil && ctx.Err() == nil {
			p.Kit.Log.WarnContext(ctx, "look at a waiting journey", "journey", s.view.Journey.ID, "err", err)
		}
		if on {
			send("event: go\ndata: {}\n\n")
			return
		}
		expiry := time.NewTimer(s.untilExpiry())
		select {
		case <-woken:
		case <-expiry.C:
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case <-p.Closing:
			return
		case <-ctx.Done():
			return
		}
		expiry.Stop()
	}
}

// goesOn reports whether there is something new for the page that shows what
// the address of its stream says.
func (s *sitting) goesOn(r *http.Request) (bool, error) {
	mark, err := s.mark(r)
	return mark != r.URL.Query().Get("at") || s.view.Request.Outcome == store.PushApproved, err
}

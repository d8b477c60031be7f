package appapi

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

const (
	heartbeat = 15 * time.Second
	// streamLife ends a stream now and then: what a proxy or a phone forgot
	// about does not stay open for ever.
	streamLife = 10 * time.Minute
	// maxStreams an authenticator may hold open: a tab or two, and one that
	// died without our knowing yet.
	maxStreams = 4
)

// streams counts what is open, by authenticator.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// enter counts one more of an authenticator, and returns what counts it off
// again; false when there are enough.
func (s *streams) enter(id string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[id] >= maxStreams {
		return nil, false
	}
	s.open[id]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[id]--; s.open[id] == 0 {
			delete(s.open, id)
		}
	}, true
}

// stream rings whenever there may be something new for an app that is on
// screen. It says nothing of what: that is fetched, with a signature (PUSH-27).
// It holds no transaction and no connection to the database while it waits.
func (a *API) stream(w http.ResponseWriter, r *http.Request, m message) error {
	if s := m.app.State(); s == identity.Revoked || s == identity.Inactive {
		return notInState(s)
	}
	leave, ok := a.streams.enter(m.app.ID)
	if !ok {
		return &identity.Error{Kind: identity.Throttled, RetryAfter: 30 * time.Second,
			Err: errors.New("appapi: too many streams of " + m.app.ID)}
	}
	user, err := userOf(r.Context(), a.db.Reader, m.app)
	if err != nil {
		leave()
		return err
	}
	tenant, app := m.app.Tenant, m.app.ID
	a.serving.Serve(w, r, func(stream *web.Stream) {
		defer leave()
		a.ring(stream, tenant, app, user.ID)
	})
	return nil
}

// ring tells an app to look, at once and whenever something happens to it or to
// its user.
func (a *API) ring(stream *web.Stream, tenant, app, user string) {
	// Subscribed before the first look, so that what happens in between rings.
	ofApp, stopApp := a.db.Subscribe(store.AuthenticatorTopic(app))
	defer stopApp()
	ofUser, stopUser := a.db.Subscribe(store.UserTopic(user))
	defer stopUser()
	const look = "event: look\ndata: {}\n\n"
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	for said := stream.Send(look); said; {
		select {
		case <-stream.Context.Done():
			return
		case <-end.C:
			return
		case <-beat.C:
			said = stream.Send(":\n\n")
		case <-ofUser:
			said = stream.Send(look)
		case <-ofApp:
			said = stream.Send(look)
			now, err := a.db.Authenticators().Get(stream.Context, tenant, app)
			if err != nil || now.State() == identity.Revoked {
				return
			}
		}
	}
}

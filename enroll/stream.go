package enroll

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
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

// streams counts what is open, by authenticator, and ends it all when the
// server shuts down.
type streams struct {
	once   sync.Once
	closed chan struct{}
	mu     sync.Mutex
	open   map[string]int
}

func newStreams() *streams {
	return &streams{closed: make(chan struct{}), open: make(map[string]int)}
}

func (s *streams) close() { s.once.Do(func() { close(s.closed) }) }

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
			Err: errors.New("enroll: too many streams of " + m.app.ID)}
	}
	defer leave()
	user, err := userOf(r.Context(), a.db, m.app)
	if err != nil {
		return err
	}
	// Subscribed before the first look, so that what happens in between rings.
	ofApp, stopApp := a.db.Subscribe(store.AuthenticatorTopic(m.app.ID))
	defer stopApp()
	ofUser, stopUser := a.db.Subscribe(store.UserTopic(user.ID))
	defer stopUser()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // or nginx keeps the events to itself
	control := http.NewResponseController(w)
	// The server's deadlines are meant for whole answers and would cut the
	// stream; each write has one of its own. Where a writer has none to set,
	// there is none to cut it.
	_ = control.SetReadDeadline(time.Time{})
	say := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(heartbeat))
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	const look = "event: look\ndata: {}\n\n"
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	for said := say(look); said; {
		select {
		case <-r.Context().Done():
			return nil
		case <-a.streams.closed:
			return nil
		case <-end.C:
			return nil
		case <-beat.C:
			said = say(":\n\n")
		case <-ofUser:
			said = say(look)
		case <-ofApp:
			said = say(look)
			app, err := a.db.Authenticator(r.Context(), m.app.Tenant, m.app.ID)
			if err != nil || app.State() == identity.Revoked {
				return nil
			}
		}
	}
	return nil
}

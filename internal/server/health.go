package server

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// A readiness is the last answer of the database. It is asked once a second at
// most, however often somebody asks us: it is a write, and anybody may ask.
type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

const (
	readinessLife = time.Second
	readinessWait = 2 * time.Second
)

// health mounts what machines ask: whether the process lives, and whether it
// can do its work.
func (s *Server) health(mux *http.ServeMux) {
	var last readiness
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := last.look(s); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "err", err)
			answer(w, http.StatusServiceUnavailable, "the database does not answer\n")
			return
		}
		answer(w, http.StatusOK, "ready\n")
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // who has left needs no answer
}

// look asks the database, or repeats what it answered just now.
func (l *readiness) look(s *Server) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.at) >= readinessLife {
		ctx, cancel := context.WithTimeout(context.Background(), readinessWait)
		defer cancel()
		l.err = s.DB.Ping(ctx)
		l.at = time.Now()
	}
	return l.err
}

package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
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
		if s.stopping.Load() {
			answer(w, http.StatusServiceUnavailable, "stopping\n")
			return
		}
		if err := last.look(s); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "err", err)
			answer(w, http.StatusServiceUnavailable, notReadyText(err)+"\n")
			return
		}
		answer(w, http.StatusOK, "ready\n")
	})
}

// A clockError says that the clocks are too far from each other.
type clockError struct{ ClockDifference }

func (e clockError) Error() string { return e.String() }

// notReadyText says why a server is not ready. It is for everybody, so it has no
// particulars.
func notReadyText(err error) string {
	if _, ok := errors.AsType[*KeysError](err); ok {
		return "the keys do not open what is in the database"
	}
	if _, ok := errors.AsType[clockError](err); ok {
		return "this machine's clock is too far from the database's"
	}
	return "the database does not answer"
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
		l.err = s.ready(ctx)
		l.at = time.Now()
	}
	return l.err
}

// ready reports whether the database can be written to, whether the keys open those of
// every tenant, and whether the clocks agree.
func (s *Server) ready(ctx context.Context) error {
	if err := s.DB.Ping(ctx); err != nil {
		return err
	}
	if err := checkKeys(ctx, s.config, s.DB); err != nil {
		return err
	}
	return clocksAgree(ctx, s.DB)
}

// clocksAgree returns a clockError if the clocks are too far from each other.
func clocksAgree(ctx context.Context, db *store.DB) error {
	d, err := CompareClocks(ctx, db, db.Now)
	if err == nil && d.Apart() > ClockError {
		err = clockError{d}
	}
	return err
}

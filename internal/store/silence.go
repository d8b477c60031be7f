package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A silence notices a database server that no longer answers although no connection
// broke: a firewall that drops packets, a host that was paused. Each statement finds that
// out by its deadline. If requests found it out one statement after the other, each would
// take several deadlines, as its error page reads too. So the first deadline that passes
// starts a probe, and until the server answers one, statements are refused at once.
type silence struct {
	probe   func(context.Context) error // connects anew; nil if there is no server
	reset   func()                      // closes the idle connections
	timeout time.Duration               // of a statement
	log     *slog.Logger

	suspected atomic.Bool // whether looking is set, for the usual case without a lock
	mu        sync.Mutex
	looking   chan struct{} // closed when the first probe has ended; nil if nothing is suspected
	silent    bool
	wake      chan struct{}
}

// suspicious is the least time that a statement has waited when its end by a deadline is
// taken as a sign: callers have deadlines of their own.
func (s *silence) suspicious() time.Duration { return s.timeout / 5 }

// firstProbe is the time of the first probe, for which requests wait: with a deadline of
// five seconds they are answered within six.
func (s *silence) firstProbe() time.Duration { return max(s.timeout/6, 500*time.Millisecond) }

// laterProbe and probePause are the time of the next probes, and between them.
const (
	laterProbe = 2 * time.Second
	probePause = 250 * time.Millisecond
)

func newSilence(timeout time.Duration, log *slog.Logger) *silence {
	return &silence{timeout: timeout, log: log, wake: make(chan struct{}, 1)}
}

var errSilent = &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second,
	Err: errors.New("store: the database does not answer")}

// await returns an error if the database is silent. While the first probe runs, it waits
// for its result.
func (s *silence) await(ctx context.Context) error {
	if !s.suspected.Load() {
		return nil
	}
	s.mu.Lock()
	looking, silent := s.looking, s.silent
	s.mu.Unlock()
	if looking == nil {
		return nil
	}
	if !silent {
		select {
		case <-looking:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
		silent = s.silent
		s.mu.Unlock()
	}
	if silent {
		return errSilent
	}
	return nil
}

// note is told of a statement that failed. If its deadline has passed, it starts a probe.
func (s *silence) note(ctx context.Context, began time.Time) {
	if s.probe == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) || time.Since(began) < s.suspicious() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking != nil {
		return
	}
	s.looking = make(chan struct{})
	s.suspected.Store(true)
	s.wake <- struct{}{} // it has room: there is no other suspicion
}

// run probes when there is a suspicion, until ctx ends.
func (s *silence) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if err := s.try(ctx, s.firstProbe()); err != nil {
			s.log.ErrorContext(ctx, "the database does not answer; requests are refused until it does", "err", err)
			s.decide(true)
			s.reset()
			for err != nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(probePause):
				}
				err = s.try(ctx, laterProbe)
			}
			s.log.InfoContext(ctx, "the database answers again")
		}
		s.decide(false)
	}
}

func (s *silence) try(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return s.probe(ctx)
}

// decide ends a suspicion, or makes it a certainty.
func (s *silence) decide(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.silent {
		close(s.looking)
	}
	if s.silent = silent; !silent {
		s.looking = nil
		s.suspected.Store(false)
	}
}

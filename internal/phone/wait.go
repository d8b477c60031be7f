package phone

import (
	"bufio"
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Wait returns the waiting requests. If there are none, it waits for one, using the servers' streams,
// until ctx ends.
//
// A stream only says that there is something to fetch. A stream that fails therefore costs time but loses
// no request: it is opened again, with growing delays, and each attempt fetches requests.
func (p *Phone) Wait(ctx context.Context) ([]Request, error) {
	s, err := p.load()
	if err != nil {
		return nil, err
	}
	if _, err := s.find(""); errors.Is(err, identity.NotFound) {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wake := make(chan struct{}, 1)
	for k := range s.finished() {
		go p.listen(ctx, *k, s.Corrections[k.Base], wake)
	}
	for {
		waiting, err := p.Pending(ctx)
		if len(waiting) > 0 {
			return waiting, nil
		}
		if err != nil && !errors.Is(err, identity.Unavailable) && ctx.Err() == nil {
			return nil, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// listen sends to wake whenever an account's stream has an event, and when the stream must be opened
// again.
func (p *Phone) listen(ctx context.Context, k storedAccount, correction int64, wake chan<- struct{}) {
	own := &state{Format: 1, Corrections: map[string]int64{k.Base: correction}}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
		if p.follow(ctx, own, &k, wake) {
			wait = time.Second
		}
		select {
		case wake <- struct{}{}:
		default:
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// follow reads one stream to its end and reports whether it had an event. A stream that is silent for
// longer than its heartbeat allows is considered dead (protocol, section 5.8).
func (p *Phone) follow(ctx context.Context, s *state, k *storedAccount, wake chan<- struct{}) (woken bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const silence = 40 * time.Second
	silent := time.AfterFunc(silence, cancel)
	defer silent.Stop()
	res, err := p.send(ctx, s, k, "stream", nil)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		silent.Reset(silence)
		if lines.Text() == "event: look" {
			woken = true
			select {
			case wake <- struct{}{}:
			default: // one wake-up is sufficient
			}
		}
	}
	return woken
}

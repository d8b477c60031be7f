package phone

import (
	"bufio"
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Wait returns the next requests that wait, listening to the servers until
// there is one or ctx ends.
//
// A stream only rings; what there is to answer is fetched. So a stream that
// fails costs time, never a request: it is opened anew, at ever longer
// intervals, and each attempt looks.
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
	ring := make(chan struct{}, 1)
	for k := range s.finished() {
		go p.listen(ctx, *k, s.Corrections[k.Base], ring)
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
		case <-ring:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// listen rings whenever an account's stream does, or when it has to be opened
// anew.
func (p *Phone) listen(ctx context.Context, k keptAccount, correction int64, ring chan<- struct{}) {
	own := &state{Format: 1, Corrections: map[string]int64{k.Base: correction}}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
		if p.follow(ctx, own, &k, ring) {
			wait = time.Second
		}
		select {
		case ring <- struct{}{}:
		default:
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// follow reads one stream to its end and reports whether it ever rang. A stream
// that is silent for longer than its heartbeat allows is dead (section 5.8).
func (p *Phone) follow(ctx context.Context, s *state, k *keptAccount, ring chan<- struct{}) (rang bool) {
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
			rang = true
			select {
			case ring <- struct{}{}:
			default: // one is enough
			}
		}
	}
	return rang
}

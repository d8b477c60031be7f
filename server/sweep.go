package server

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/authenticator"
	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

// How often what has expired is swept out, and for how long a node has the
// broom to itself: longer, so that it stays with one while that one lives.
const (
	sweepEvery = time.Minute
	sweepLease = 3 * time.Minute
	sweepMost  = 100 // batches in a row
)

// sweep deletes what has expired, on one node at a time, until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweep", "err", err)
		}
	}
}

// sweepOnce takes the broom, if no other node has it, and sweeps batch after
// batch, each in a transaction of its own so that logins come between.
func (s *Server) sweepOnce(ctx context.Context) error {
	for range sweepMost {
		left := false
		err := s.DB.InTx(ctx, identity.Principal{Kind: identity.System, Name: "sweeper"}, func(tx *store.Tx) error {
			mine, err := tx.Lease(ctx, "sweeper", s.node, tx.Now().Add(sweepLease))
			if err != nil || !mine {
				return err
			}
			rows, err := tx.Sweep(ctx)
			if err != nil {
				return err
			}
			voided, err := enroll.Sweep(ctx, tx)
			if err != nil {
				return err
			}
			unlocked, err := authenticator.UnlockLapsed(ctx, tx)
			left = rows > 0 || voided > 0 || unlocked > 0
			return err
		})
		if err != nil || !left {
			return err
		}
	}
	return nil
}

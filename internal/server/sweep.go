package server

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// How often what has expired is swept out, and for how long a node has the
// broom to itself: longer, so that it stays with one while that one lives.
const (
	sweepEvery = time.Minute
	sweepLease = 3 * time.Minute
	sweepMost  = 100 // batches in a row
)

// sweep deletes what has expired, on one node at a time, until ctx ends; and once
// a day it looks for authenticators that nobody uses.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(s.sweepOnce(ctx), s.expireUnused(ctx)); err != nil && ctx.Err() == nil {
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

// expireUnused looks for unused authenticators in each tenant that wants it, once
// a day of the server's clock, on the node that is first. Broken off, it goes on
// the next day.
func (s *Server) expireUnused(ctx context.Context) error {
	tenants, err := store.Collect(s.DB.Tenants().All(ctx))
	if err != nil {
		return err
	}
	for _, t := range tenants {
		rules, err := authenticator.ReadCredentials(ctx, s.DB.Reader, t.ID)
		if err != nil {
			return err
		}
		if rules.UnusedDays == 0 {
			continue
		}
		now := s.DB.Now()
		err = s.DB.InTx(ctx, identity.Principal{Tenant: t.ID, Kind: identity.System, Name: "unused authenticators"}, func(tx *store.Tx) error {
			return tx.UseOnce(ctx, t.ID, "day of unused authenticators", now.UTC().Format(time.DateOnly), now.Add(48*time.Hour))
		})
		if errors.Is(err, identity.Conflict) {
			continue // was looked for today
		}
		if err != nil {
			return err
		}
		done, err := authenticator.ExpireUnused(ctx, s.DB, t.ID, rules)
		s.log.InfoContext(ctx, "unused authenticators", "tenant", t.Slug, "warned", done.Warned, "inactive", done.Inactive)
		if err != nil {
			return err
		}
	}
	return nil
}

package server

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// How often we look whether an application's metadata is due, how much is
// fetched in one look, and for how long a node has that to itself: longer than
// fetching so much takes at most.
const (
	metadataEvery = 30 * time.Second
	metadataMost  = 10
	metadataLease = 3 * time.Minute
)

// metadata fetches applications' metadata as it becomes due, on one node at a
// time, until ctx ends.
func (s *Server) metadata(ctx context.Context) {
	tick := time.NewTicker(metadataEvery)
	defer tick.Stop()
	for {
		if err := s.metadataOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "metadata", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) metadataOnce(ctx context.Context) error {
	waiting, err := store.Collect(s.DB.Metadata().Due(ctx, 1))
	if err != nil || len(waiting) == 0 {
		return err // a server that waits writes nothing
	}
	who := identity.Principal{Kind: identity.System, Name: "metadata"}
	mine := false
	err = s.DB.InTx(ctx, who, func(tx *store.Tx) (err error) {
		mine, err = tx.Lease(ctx, "metadata", s.node, tx.Now().Add(metadataLease))
		return err
	})
	if err != nil || !mine {
		return err
	}
	m := admin.Metadata{DB: s.DB, Client: s.outgoing}
	return m.RefreshDue(ctx, who, metadataMost, func(source store.MetadataSource, changes []string, err error) {
		switch {
		case err != nil:
			s.log.WarnContext(ctx, "metadata not refreshed; the last that was good stays in force",
				"tenant", source.Tenant, "application", source.Application, "address", source.URL, "err", err)
		case len(changes) > 0:
			s.log.InfoContext(ctx, "metadata changed",
				"tenant", source.Tenant, "application", source.Application, "address", source.URL, "changes", changes)
		}
	})
}

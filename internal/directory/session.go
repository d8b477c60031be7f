package directory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// EndSession ends one of a user's own sessions, with every token it gave, those
// for use offline too: who ends it from another browser wants nothing of it left
// (T-LOG-27). A session that is not the user's, or is over, is a NotFound.
func EndSession(ctx context.Context, tx *store.Tx, u identity.User, id string) error {
	sessions, err := store.Collect(tx.Sessions().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if s.ID == id {
			return endSession(ctx, tx, u, s)
		}
	}
	return &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("directory: session %q of user %s", id, u.ID)}
}

func endSession(ctx context.Context, tx *store.Tx, u identity.User, s identity.Session) error {
	if err := tx.Sessions().End(ctx, u.Tenant, s.ID); err != nil {
		return err
	}
	grants, err := tx.Grants().RevokeSession(ctx, u.Tenant, u.ID, s.ID)
	if err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.SessionEnded, User: u.ID, Reason: "by its user",
		Data: map[string]string{"session": s.ID, "grants": strconv.FormatInt(grants, 10)}})
}

// EndOtherSessions ends all of a user's sessions but the one that asks, with every
// token given outside it and every remembered device, and tells the user by mail.
// It returns how many sessions there were.
func EndOtherSessions(ctx context.Context, tx *store.Tx, u identity.User, asks string, from templates.Origin) (int, error) {
	ended, err := endOthers(ctx, tx, u, asks)
	if err != nil {
		return 0, err
	}
	return ended, tell(ctx, tx, u, "", templates.SessionsEnded{Name: u.Name, Sessions: ended, Origin: from})
}

// endOthers is EndOtherSessions without its mail.
func endOthers(ctx context.Context, tx *store.Tx, u identity.User, asks string) (int, error) {
	sessions, err := store.Collect(tx.Sessions().OfUser(ctx, u.Tenant, u.ID))
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, s := range sessions {
		if s.ID == asks {
			continue
		}
		if err := endSession(ctx, tx, u, s); err != nil {
			return 0, err
		}
		ended++
	}
	// Sessions that ran out may have left grants for use offline.
	if _, err := tx.Grants().RevokeOtherSessions(ctx, u.Tenant, u.ID, asks); err != nil {
		return 0, err
	}
	_, err = tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "sessions ended")
	return ended, err
}

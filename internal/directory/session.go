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

// EndSession ends one of a user's sessions, with all tokens issued in it, including those for
// offline use: a user who ends it from another browser wants nothing of it to remain
// (T-LOG-27). The error is NotFound if the session is not the user's or has ended.
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

// EndOtherSessions ends all of a user's sessions except the one that asks, with all tokens
// issued outside it and all remembered devices, and notifies the user by mail. It returns the
// number of sessions.
func EndOtherSessions(ctx context.Context, tx *store.Tx, u identity.User, asks string, from templates.Origin) (int, error) {
	ended, err := endOtherSessions(ctx, tx, u, asks)
	if err != nil {
		return 0, err
	}
	return ended, queueMail(ctx, tx, u, "", templates.SessionsEnded{Name: u.Name, Sessions: ended, Origin: from})
}

// endOtherSessions is EndOtherSessions without the mail.
func endOtherSessions(ctx context.Context, tx *store.Tx, u identity.User, asks string) (int, error) {
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
	// Expired sessions may have left grants for offline use.
	if _, err := tx.Grants().RevokeOtherSessions(ctx, u.Tenant, u.ID, asks); err != nil {
		return 0, err
	}
	_, err = tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "sessions ended")
	return ended, err
}

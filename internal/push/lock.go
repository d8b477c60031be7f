package push

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// window is how far back the requests of a user count towards the lock.
const window = time.Hour

// A Locked is why Start sends nothing: too many requests went out since the
// last approved one (PUSH-9).
type Locked struct {
	Until time.Time
	Now   bool // by the request that was just asked for: its user is to be told
}

func (l *Locked) Error() string {
	return "push: locked until " + l.Until.UTC().Format(time.RFC3339)
}

// count locks push for a user when the request would be one more than may go
// out; until is when the last lock ended. The caller holds the user's turn: of
// any number of starts each counts what those before it sent.
func count(ctx context.Context, tx *store.Tx, p store.PushRequest, rules policy.Push, until time.Time) error {
	since := p.CreatedAt.Add(-window)
	if until.After(since) {
		since = until // what led to a lock that is over is paid for
	}
	sent, err := tx.Push().CountSince(ctx, p.Tenant, p.User, since)
	if err != nil || sent < rules.Limit {
		return err
	}
	until = p.CreatedAt.Add(time.Duration(rules.Lock) * time.Second)
	if err := tx.Push().Lock(ctx, p.Tenant, p.User, until); err != nil {
		return err
	}
	// Whoever asks for another no longer means the one that waits.
	ended, err := tx.Push().Replace(ctx, p.Tenant, p.User, p.Browser, p.CreatedAt)
	if err != nil {
		return err
	}
	for _, journey := range ended {
		tx.Notify(store.JourneyTopic(journey))
	}
	if err := tx.Users().Notify(ctx, p.Tenant, p.User); err != nil {
		return err
	}
	err = tx.Event(ctx, audit.Event{Tenant: p.Tenant, Kind: audit.PushLocked, User: p.User, Application: p.ApplicationID, Journey: p.Journey,
		Data:     map[string]string{"until": until.UTC().Format(time.RFC3339), "requests": fmt.Sprint(sent)},
		Personal: map[string]string{"name": p.Name}})
	if err != nil {
		return err
	}
	return locked(p, Locked{Until: until, Now: true})
}

func locked(p store.PushRequest, l Locked) error {
	return &identity.Error{Kind: identity.Throttled, Key: "error.push.locked", RetryAfter: l.Until.Sub(p.CreatedAt), Err: &l}
}

// Unlock ends the lock of a user's push and begins the count anew, as an
// operator wishes. It reports whether there was a lock.
func Unlock(ctx context.Context, tx *store.Tx, tenant, user string) (bool, error) {
	done, err := tx.Push().Unlock(ctx, tenant, user)
	if err != nil {
		return false, err
	}
	if err := tx.Push().Forgive(ctx, tenant, user); err != nil || !done {
		return false, err
	}
	if err := tx.Users().Notify(ctx, tenant, user); err != nil {
		return false, err
	}
	return true, tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.PushUnlocked, User: user, Reason: "operator"})
}

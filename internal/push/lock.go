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

// countWindow is the time for which a user's requests count towards the lock.
const countWindow = time.Hour

// A Locked error says that Start sent nothing, because too many requests were sent
// since the last approved one (PUSH-9).
type Locked struct {
	Until      time.Time
	JustLocked bool // by this request: the user must be notified
}

func (l *Locked) Error() string {
	return "push: locked until " + l.Until.UTC().Format(time.RFC3339)
}

// lockIfTooMany locks push for a user if the request would exceed the limit (PUSH-9). until
// is when the previous lock ended. The caller holds the lock on the user's row, so
// that concurrent starts count each other's requests.
//
// Anonymous requests have a count of their own, which locks nothing: beyond it none of
// them is sent, and the user's own go on.
func lockIfTooMany(ctx context.Context, tx *store.Tx, p store.PushRequest, rules policy.Push, until time.Time) error {
	since := p.CreatedAt.Add(-countWindow)
	if until.After(since) {
		since = until // requests before the end of the previous lock no longer count
	}
	sent, err := tx.Push().CountSince(ctx, p.Tenant, p.User, p.Anonymous, since)
	if err != nil || sent < rules.Limit {
		return err
	}
	if p.Anonymous {
		return &identity.Error{Kind: identity.Throttled, Key: "error.push.limit"}
	}
	until = p.CreatedAt.Add(time.Duration(rules.Lock) * time.Second)
	if err := tx.Push().Lock(ctx, p.Tenant, p.User, until); err != nil {
		return err
	}
	// A user who asks for another request no longer wants the open one.
	ended, err := tx.Push().Replace(ctx, p, p.CreatedAt)
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
	return lockedError(p, Locked{Until: until, JustLocked: true})
}

func lockedError(p store.PushRequest, l Locked) error {
	return &identity.Error{Kind: identity.Throttled, Key: "error.push.locked", RetryAfter: l.Until.Sub(p.CreatedAt), Err: &l}
}

// Unlock ends the lock of a user's push and resets the count, for an operator. It
// reports whether push was locked.
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

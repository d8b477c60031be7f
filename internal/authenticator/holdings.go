package authenticator

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
)

// Holdings are what a user has to prove a second factor with, as far as a
// journey wants to know.
type Holdings struct {
	Assigned  int                      // those that count as having one (ENR-1)
	Passcodes int                      // of these, active ones that make passcodes
	PushTo    []identity.Authenticator // of these, those a push reaches, the one used last first
	Latest    identity.Authenticator   // of all, the one used last; zero where there is none
}

// Held returns what a user holds, for a push with a presence check by the
// tenant's platforms as they are now.
func Held(ctx context.Context, r store.Reader, tenant, user string, platforms policy.Platforms, presence policy.Presence) (Holdings, error) {
	var h Holdings
	now := r.Now()
	for a, err := range r.Authenticators().OfUser(ctx, tenant, user) {
		if err != nil {
			return Holdings{}, err
		}
		if !counts(a) {
			continue
		}
		h.Assigned++
		if a.State() == identity.Active && makesPasscodes(a) {
			h.Passcodes++
		}
		latest := h.Latest.ID == "" || lastUse(a).After(lastUse(h.Latest))
		if latest {
			h.Latest = a
		}
		if push.Reaches(a, platforms, presence, now) {
			h.PushTo = append(h.PushTo, a)
			if last := len(h.PushTo) - 1; lastUse(a).After(lastUse(h.PushTo[0])) {
				h.PushTo[0], h.PushTo[last] = h.PushTo[last], h.PushTo[0]
			}
		}
	}
	return h, nil
}

// counts reports whether an authenticator counts as having one. A lock opens
// no way into self-provisioning, so locked and suspended ones do; one that is
// pending was never had, and inactive and revoked ones are no more (ENR-1).
func counts(a identity.Authenticator) bool {
	switch a.State() {
	case identity.Active, identity.Locked, identity.Suspended:
		return true
	}
	return false
}

// lastUse is when an authenticator was used, or else became one.
func lastUse(a identity.Authenticator) time.Time {
	if a.LastUsedAt.IsZero() {
		return a.ActivatedAt
	}
	return a.LastUsedAt
}

// HasAnother reports whether a user has an authenticator that counts as having one
// (ENR-1), other than except, which may be empty. One that is being set up does not
// count.
func HasAnother(ctx context.Context, r store.Reader, user identity.User, except string) (bool, error) {
	var others []identity.Authenticator
	var halfMade []string
	for a, err := range r.Authenticators().OfUser(ctx, user.Tenant, user.ID) {
		switch {
		case err != nil:
			return false, err
		case a.ID == except:
			continue
		case a.State() == identity.Pending:
			halfMade = append(halfMade, a.ID)
		}
		others = append(others, a)
	}
	return policy.CountEnrolled(others, halfMade) > 0, nil
}

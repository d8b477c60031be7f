package authenticator

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A summary is what a user can prove a second factor with.
type summary struct {
	Assigned  int                      // authenticators that count as having one (ENR-1)
	Passcodes int                      // of these, active ones that make passcodes
	PushTo    []identity.Authenticator // of these, those that a push reaches, the last used one first
	Latest    identity.Authenticator   // of all, the last used one; zero if there is none
}

// summarise returns a user's summary, given the platforms and the presence check.
func summarise(ctx context.Context, r store.Reader, tenant, user string, platforms policy.Platforms, presence policy.Presence) (summary, error) {
	var h summary
	now := r.Now()
	for a, err := range r.Authenticators().OfUser(ctx, tenant, user) {
		if err != nil {
			return summary{}, err
		}
		if !a.CountsAsEnrolled() {
			continue
		}
		h.Assigned++
		if a.State() == identity.Active && a.MakesPasscodes() {
			h.Passcodes++
		}
		if h.Latest.ID == "" || lastUse(a).After(lastUse(h.Latest)) {
			h.Latest = a
		}
		if policy.Reaches(a, platforms, presence, now) {
			h.PushTo = append(h.PushTo, a)
			if last := len(h.PushTo) - 1; lastUse(a).After(lastUse(h.PushTo[0])) {
				h.PushTo[0], h.PushTo[last] = h.PushTo[last], h.PushTo[0]
			}
		}
	}
	return h, nil
}

// lastUse returns when an authenticator was last used, or else activated.
func lastUse(a identity.Authenticator) time.Time {
	if a.LastUsedAt.IsZero() {
		return a.ActivatedAt
	}
	return a.LastUsedAt
}

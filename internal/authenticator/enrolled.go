package authenticator

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/store"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// HasAnother reports whether a user has an authenticator that counts as having one
// (ENR-1), other than except, which may be empty. One that is being set up does not
// count.
func HasAnother(ctx context.Context, r store.Reader, user identity.User, except string) (bool, error) {
	var others []identity.Authenticator
	var pending []string
	for a, err := range r.Authenticators().OfUser(ctx, user.Tenant, user.ID) {
		switch {
		case err != nil:
			return false, err
		case a.ID == except:
			continue
		case a.State() == identity.Pending:
			pending = append(pending, a.ID)
		}
		others = append(others, a)
	}
	return policy.CountEnrolled(others, pending) > 0, nil
}

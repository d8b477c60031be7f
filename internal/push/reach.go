package push

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// stillAllowed reports whether an approval by an authenticator may count now: the
// user is enabled, the authenticator is active and policy allows push, according
// to the rows as they are in this transaction (PUSH-26).
func stillAllowed(ctx context.Context, tx *store.Tx, user string, a identity.Authenticator) (bool, error) {
	u, err := tx.Users().Get(ctx, a.Tenant, user)
	if err != nil {
		return false, err
	}
	platforms, err := store.ReadPolicy[policy.Platforms](ctx, tx.Reader, a.Tenant)
	if err != nil {
		return false, err
	}
	rules, err := store.ReadPolicy[policy.Push](ctx, tx.Reader, a.Tenant)
	if err != nil {
		return false, err
	}
	groups, err := tx.Groups().IDsOfUser(ctx, a.Tenant, user)
	if err != nil {
		return false, err
	}
	return u.Enabled() && rules.Effective(groups).Enabled && policy.HasPush(a, platforms, tx.Now()), nil
}

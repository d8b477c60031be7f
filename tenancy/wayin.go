package tenancy

import (
	"context"

	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
)

// Strands counts whom a push policy, or the platforms, would leave without a way
// in if the document were set now (PUSH-5). It is asked before SetPolicy, so that
// an operator confirms the number; documents of other kinds strand nobody. Names
// may stand in it as SetPolicy takes them.
func Strands(ctx context.Context, db *store.DB, tenant string, next policy.Document) (policy.NoWayIn, error) {
	versions := make(map[policy.Kind]int64)
	push, err := inForce[policy.Push](ctx, db, tenant, versions)
	if err != nil {
		return policy.NoWayIn{}, err
	}
	platforms, err := inForce[policy.Platforms](ctx, db, tenant, versions)
	if err != nil {
		return policy.NoWayIn{}, err
	}
	if next, err = byID(ctx, db, tenant, next); err != nil {
		return policy.NoWayIn{}, err
	}
	switch d := next.(type) {
	case policy.Push:
		push = d
	case policy.Platforms:
		platforms = d
	default:
		return policy.NoWayIn{}, nil
	}
	classes, err := db.WaysIn(ctx, tenant)
	if err != nil {
		return policy.NoWayIn{}, err
	}
	return push.Strands(classes, platforms), nil
}

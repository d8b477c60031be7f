package admin

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Strands counts whom a push policy, or the platforms, would leave without a way
// in if the document were set now (PUSH-5). It is asked before SetPolicy, so that
// an operator confirms the number; documents of other kinds strand nobody. Names
// may stand in it as SetPolicy takes them.
func Strands(ctx context.Context, db *store.DB, tenant string, next policy.Document) (policy.LockedOut, error) {
	w, asked, err := withNext(ctx, db, tenant, next)
	if err != nil || !asked {
		return policy.LockedOut{}, err
	}
	classes, err := db.Policies().UserClasses(ctx, tenant)
	if err != nil {
		return policy.LockedOut{}, err
	}
	return w.push.CountLockedOut(classes, w.platforms), nil
}

// A Stranded is a user whom a document would leave without a way in, and why.
type Stranded struct {
	User     string        `json:"user"`
	Obstacle policy.Reason `json:"obstacle"`
}

// WhoIsStranded names some of those whom Strands counts, by name, most at most.
func WhoIsStranded(ctx context.Context, db *store.DB, tenant string, next policy.Document, most int) (some []Stranded, err error) {
	w, asked, err := withNext(ctx, db, tenant, next)
	if err != nil || !asked {
		return nil, err
	}
	for u, err := range db.Policies().UsersWithClass(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		if why := w.push.LockedOutReason(u.Class, w.platforms); why != policy.NotLockedOut {
			some = append(some, Stranded{u.Name, why})
		}
		if len(some) == most {
			break
		}
	}
	return some, nil
}

// A wayOf is the documents that decide who has a way in.
type wayOf struct {
	push      policy.Push
	platforms policy.Platforms
}

// withNext returns them as they would be with another document set, and false
// where that document is neither.
func withNext(ctx context.Context, db *store.DB, tenant string, next policy.Document) (w wayOf, asked bool, err error) {
	versions := make(map[policy.Kind]int64)
	if w.push, err = inForce[policy.Push](ctx, db.Reader, tenant, versions); err != nil {
		return w, false, err
	}
	if w.platforms, err = inForce[policy.Platforms](ctx, db.Reader, tenant, versions); err != nil {
		return w, false, err
	}
	if next, err = byID(ctx, db.Reader, tenant, next); err != nil {
		return w, false, err
	}
	switch d := next.(type) {
	case policy.Push:
		w.push = d
	case policy.Platforms:
		w.platforms = d
	default:
		return w, false, nil
	}
	return w, true, nil
}

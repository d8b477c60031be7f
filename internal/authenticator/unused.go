package authenticator

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// WarningPeriod is the time between warning a user and making the unused authenticator
// inactive. It is always kept, so that no authenticator becomes inactive at once when
// this policy is switched on.
const WarningPeriod = 7 * 24 * time.Hour

// The number of authenticators read at once, which takes no lock, and the number changed
// in one transaction, which logins wait for.
const (
	unusedPage  = 1000
	unusedBatch = 20
)

// An ExpiryReport says what happened to a tenant's unused authenticators.
type ExpiryReport struct {
	Warned   int           // users were warned
	Inactive int           // became inactive
	Longest  time.Duration // the longest transaction that changed some
}

// ExpireUnused warns users whose authenticators will become inactive because they are
// not used, and makes those inactive whose time has passed (CRED-15). Each change has
// its event and mail, and checks again whether it is due, so that an authenticator used
// meanwhile is not changed. Changes are made in small batches. ExpireUnused can be
// interrupted and repeated.
func ExpireUnused(ctx context.Context, db *store.DB, tenant string, rules policy.Credentials) (ExpiryReport, error) {
	var done ExpiryReport
	if rules.UnusedDays == 0 {
		return done, nil
	}
	now := db.Now()
	before := now.Add(-rules.UnusedPeriod())
	beyond := ""
	for {
		page, err := store.Collect(db.Authenticators().Unused(ctx, tenant, before.Add(WarningPeriod), beyond, unusedPage))
		if err != nil || len(page) == 0 {
			return done, err
		}
		beyond = page[len(page)-1].ID
		var due []store.UnusedAuthenticator
		for _, u := range page {
			if u.WarnedAt.IsZero() || u.Since.Before(before) && !u.WarnedAt.After(now.Add(-WarningPeriod)) {
				due = append(due, u)
			}
		}
		for len(due) > 0 {
			n := min(len(due), unusedBatch)
			if err := expireBatch(ctx, db, tenant, due[:n], before, &done); err != nil {
				return done, err
			}
			due = due[n:]
		}
	}
}

// expireBatch changes some authenticators in one transaction.
func expireBatch(ctx context.Context, db *store.DB, tenant string, some []store.UnusedAuthenticator, before time.Time, done *ExpiryReport) error {
	var warned, inactive int
	began := time.Now()
	err := db.InTx(ctx, identity.Principal{Tenant: tenant, Kind: identity.System, Name: "unused authenticators"}, func(tx *store.Tx) error {
		warned, inactive = 0, 0
		for _, u := range some {
			a, err := tx.Authenticators().Get(ctx, tenant, u.ID)
			if err != nil {
				return err
			}
			of, err := tx.Authenticators().UserIDs(ctx, tenant, u.ID) // read before the change: an expired token has no users
			if err != nil {
				return err
			}
			var done bool
			kind, reason, what := audit.AuthenticatorUnused, "", templates.UnusedSoon
			if u.WarnedAt.IsZero() {
				done, err = tx.Authenticators().WarnUnused(ctx, tenant, u.ID, before.Add(WarningPeriod))
			} else {
				kind, reason, what = audit.AuthenticatorUnassigned, "unused", templates.BecameInactive
				done, err = tx.Authenticators().ExpireUnused(ctx, a, before, tx.Now().Add(-WarningPeriod))
			}
			if err != nil {
				return err
			}
			if !done { // it was used meanwhile, or another node was faster
				continue
			}
			if what == templates.UnusedSoon {
				warned++
			} else {
				inactive++
			}
			if err := recordUnused(ctx, tx, a, of, kind, reason, what); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		done.Warned, done.Inactive = done.Warned+warned, done.Inactive+inactive
	}
	done.Longest = max(done.Longest, time.Since(began))
	return err
}

// recordUnused writes the event, invalidates what an authenticator that became inactive
// proved in open journeys, and notifies its users.
func recordUnused(ctx context.Context, tx *store.Tx, a identity.Authenticator, of []string, kind audit.Kind, reason string, what templates.Change) error {
	tx.Notify(store.AuthenticatorTopic(a.ID))
	for _, id := range of {
		tx.Notify(store.UserTopic(id))
		err := tx.Event(ctx, audit.Event{Tenant: a.Tenant, Kind: kind, User: id, Authenticator: a.ID, Reason: reason, Data: map[string]string{"serial": a.Serial}})
		if err != nil {
			return err
		}
		if what == templates.BecameInactive {
			if err := tx.Journeys().RevokeFactor(ctx, a.Tenant, id, a.ID); err != nil {
				return err
			}
		}
		u, err := tx.Users().Get(ctx, a.Tenant, id)
		if err != nil {
			return err
		}
		if err := notifyChange(ctx, tx, u, a, what, templates.Origin{At: tx.Now()}); err != nil {
			return err
		}
	}
	return nil
}

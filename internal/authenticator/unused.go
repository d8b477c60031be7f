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

// Warning is how long before an unused authenticator becomes inactive its user is
// told. Nobody's does sooner after being told, so that switching this on does no
// harm tonight.
const Warning = 7 * 24 * time.Hour

// How many are looked for at once, which locks nothing, and how many are changed
// in one transaction, for which logins wait.
const (
	unusedPage  = 1000
	unusedBatch = 20
)

// Expired says what became of a tenant's unused authenticators.
type Expired struct {
	Warned   int           // users were told
	Inactive int           // became so
	Longest  time.Duration // of the transactions in which they were changed
}

// ExpireUnused tells users of authenticators that will become inactive for want of
// use, and makes those inactive whose time has come (CRED-15). Each change has its
// event and mail, and looks again whether it is still due: one that was used a
// moment ago stays. It changes few at a time, and can be broken off and begun
// again.
func ExpireUnused(ctx context.Context, db *store.DB, tenant string, rules policy.Credentials) (Expired, error) {
	var done Expired
	if rules.UnusedDays == 0 {
		return done, nil
	}
	now := db.Now()
	before := now.Add(-rules.UnusedPeriod())
	beyond := ""
	for {
		page, err := store.Collect(db.Authenticators().Unused(ctx, tenant, before.Add(Warning), beyond, unusedPage))
		if err != nil || len(page) == 0 {
			return done, err
		}
		beyond = page[len(page)-1].ID
		var due []store.UnusedAuthenticator
		for _, u := range page {
			if u.WarnedAt.IsZero() || u.Since.Before(before) && !u.WarnedAt.After(now.Add(-Warning)) {
				due = append(due, u)
			}
		}
		for len(due) > 0 {
			n := min(len(due), unusedBatch)
			if err := expireSome(ctx, db, tenant, due[:n], before, &done); err != nil {
				return done, err
			}
			due = due[n:]
		}
	}
}

// expireSome takes some of them in one transaction.
func expireSome(ctx context.Context, db *store.DB, tenant string, some []store.UnusedAuthenticator, before time.Time, done *Expired) error {
	var warned, inactive int
	began := time.Now()
	err := db.InTx(ctx, identity.Principal{Tenant: tenant, Kind: identity.System, Name: "unused authenticators"}, func(tx *store.Tx) error {
		warned, inactive = 0, 0
		for _, u := range some {
			a, err := tx.Authenticators().Get(ctx, tenant, u.ID)
			if err != nil {
				return err
			}
			of, err := tx.Authenticators().UserIDs(ctx, tenant, u.ID) // read now: a token that expires has none
			if err != nil {
				return err
			}
			var done bool
			kind, reason, what := audit.AuthenticatorUnused, "", templates.UnusedSoon
			if u.WarnedAt.IsZero() {
				done, err = tx.Authenticators().WarnUnused(ctx, tenant, u.ID, before.Add(Warning))
			} else {
				kind, reason, what = audit.AuthenticatorUnassigned, "unused", templates.BecameInactive
				done, err = tx.Authenticators().ExpireUnused(ctx, a, before, tx.Now().Add(-Warning))
			}
			if err != nil {
				return err
			}
			if !done { // used meanwhile, or another node was faster
				continue
			}
			if what == templates.UnusedSoon {
				warned++
			} else {
				inactive++
			}
			if err := tellUnused(ctx, tx, a, of, kind, reason, what); err != nil {
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

// tellUnused writes the event, takes back what an inactive one proved in logins
// under way, and tells its users.
func tellUnused(ctx context.Context, tx *store.Tx, a identity.Authenticator, of []string, kind audit.Kind, reason string, what templates.Change) error {
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
		if err := tellOfChange(ctx, tx, u, a, what, templates.Origin{At: tx.Now()}); err != nil {
			return err
		}
	}
	return nil
}

package admin

import (
	"context"
	"errors"
	"strconv"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// removalBatch is how many rows go in one transaction, so that logins at other tenants
// come between.
const removalBatch = 500

// removalPasses is how often all tables are gone through at most. A second time is
// needed if a request that was under way wrote a row meanwhile.
const removalPasses = 5

// RemoveTenant removes a tenant with everything in it: people, authenticators,
// applications, policies, keys, sessions, events. It is out of everybody's reach at
// once, and then its rows go batch by batch; deleted is told of each. If that is
// interrupted, calling it again goes on. What stays are two events that belong to no
// tenant. It reports how many rows went.
func RemoveTenant(ctx context.Context, db *store.DB, who identity.Principal, t identity.Tenant, deleted func(rows int64)) (rows int64, err error) {
	who.Tenant = "" // the events must not go with it
	data := map[string]string{"id": t.ID, "slug": t.Slug, "name": t.Name}
	err = db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.Tenants().BeginRemoval(ctx, t.ID); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Kind: audit.TenantRemoved, Reason: "begun", Data: data})
	})
	if errors.Is(err, identity.NotFound) {
		if _, err := db.Tenants().Removing(ctx, t.Slug); err != nil {
			return 0, err
		}
		err = nil // it was begun, and interrupted
	}
	for range removalPasses {
		if err != nil && !errors.Is(err, errRowsLeft) {
			return rows, err
		}
		var n int64
		n, err = deleteTenantRows(ctx, db, who, t.ID, deleted)
		rows += n
		if err == nil {
			err = finishRemoval(ctx, db, who, t.ID, data, rows)
		}
		if err == nil {
			return rows, nil
		}
	}
	return rows, err
}

// errRowsLeft says that a tenant got a row after its rows were deleted.
var errRowsLeft = errors.New("rows were written while the tenant was being removed; remove it again")

// deleteTenantRows deletes all rows of a tenant but its own.
func deleteTenantRows(ctx context.Context, db *store.DB, who identity.Principal, tenant string, deleted func(rows int64)) (rows int64, err error) {
	tables, err := store.TenantTables()
	if err != nil {
		return 0, err
	}
	for _, table := range tables {
		for n := int64(removalBatch); n == removalBatch; {
			err := db.InTx(ctx, who, func(tx *store.Tx) (err error) {
				n, err = tx.Tenants().DeleteRows(ctx, tenant, table, removalBatch)
				return err
			})
			if err != nil {
				return rows, err
			}
			rows += n
			deleted(n)
		}
	}
	return rows, nil
}

// finishRemoval deletes the tenant itself, unless rows were added meanwhile.
func finishRemoval(ctx context.Context, db *store.DB, who identity.Principal, tenant string, data map[string]string, rows int64) error {
	tables, err := store.TenantTables()
	if err != nil {
		return err
	}
	return db.InTx(ctx, who, func(tx *store.Tx) error {
		for _, table := range tables {
			// Not kept: the next pass deletes it again, and others in its order.
			n, err := tx.Tenants().DeleteRows(ctx, tenant, table, 1)
			if err != nil {
				return err
			}
			if n > 0 {
				return errRowsLeft
			}
		}
		if err := tx.Tenants().FinishRemoval(ctx, tenant); err != nil {
			return err
		}
		data["rows"] = strconv.FormatInt(rows, 10)
		return tx.Event(ctx, audit.Event{Kind: audit.TenantRemoved, Data: data})
	})
}

package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// untenanted are the tables whose rows belong to no tenant, and the one of the tenants.
var untenanted = []string{gooseTable, "tenants", "meta", "leases", "epochs", "vapid_keys"}

// TenantTables lists the tables with rows of tenants in the order in which a tenant's
// rows are deleted: first the data keys, so that nothing sealed can be read from then
// on, and each other table before those that it refers to.
func TenantTables() ([]string, error) {
	all, err := allTables()
	if err != nil {
		return nil, err
	}
	first := []string{"data_keys"}
	for _, name := range slices.Backward(all) {
		if !slices.Contains(untenanted, name) && !slices.Contains(first, name) {
			first = append(first, name)
		}
	}
	return first, nil
}

// BeginRemoval puts a tenant out of reach: from now on it is found by nobody but
// [TenantReads.Removing]. It returns a NotFound if there is no such tenant.
func (v Tenants) BeginRemoval(ctx context.Context, id string) error {
	n, err := v.tx.exec(ctx, "begin removal of tenant", `UPDATE tenants SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL`, id, at(v.tx.now()))
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("store: no tenant %s", id)}
	}
	return err
}

// Removing returns the tenant of a slug whose removal was begun and is not finished.
func (v TenantReads) Removing(ctx context.Context, slug string) (identity.Tenant, error) {
	t, err := scanTenant(v.r.q.QueryRowContext(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE slug = $1 AND removed_at IS NOT NULL`, slug))
	if err != nil {
		return t, notFound("tenant "+slug, err)
	}
	return t, nil
}

// DeleteRows deletes rows of a tenant that is being removed from one of its tables, no
// more than limit, and reports how many. It deletes nothing of other tenants.
func (v Tenants) DeleteRows(ctx context.Context, id, table string, limit int) (int64, error) {
	known, err := TenantTables()
	if err != nil {
		return 0, err
	}
	if !slices.Contains(known, table) {
		return 0, fmt.Errorf("store: %q has no rows of tenants", table)
	}
	return v.tx.exec(ctx, "delete rows of tenant", v.tx.db.dialect.text(queryTexts{
		sqlite: `/* full scan */ DELETE FROM ` + table + ` WHERE rowid IN (SELECT r.rowid FROM ` + table + ` r
			WHERE r.tenant_id = $1 AND ` + removing + ` LIMIT $2)`,
		postgres: `DELETE FROM ` + table + ` WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM ` + table + ` r
			WHERE r.tenant_id = $1 AND ` + removing + ` LIMIT $2))`}), id, limit)
}

// removing is the condition that the removal of the tenant $1 was begun.
const removing = `EXISTS (SELECT 1 FROM tenants t WHERE t.id = $1 AND t.removed_at IS NOT NULL)`

// FinishRemoval deletes the row of a tenant whose other rows are deleted. While there
// are others, of a request that was under way, it returns an error.
func (v Tenants) FinishRemoval(ctx context.Context, id string) error {
	n, err := v.tx.exec(ctx, "remove tenant", `DELETE FROM tenants WHERE id = $1 AND removed_at IS NOT NULL`, id)
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("store: the removal of tenant %s was not begun, or is finished", id)}
	}
	return err
}

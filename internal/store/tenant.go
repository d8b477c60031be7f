package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const tenantColumns = `id, slug, name, organisation, language, help_contact, no_mail_names, name_label, alerts, created_at`

func scanTenant(row scanner) (t identity.Tenant, err error) {
	var alerts string
	var noMailNames int64
	if err = row.Scan(&t.ID, &t.Slug, &t.Name, &t.Organisation, &t.Language, &t.HelpContact, &noMailNames, &t.NameLabel, &alerts, nullTime{&t.CreatedAt}); err != nil {
		return t, err
	}
	t.NoMailNames = noMailNames != 0
	return t, json.Unmarshal([]byte(alerts), &t.Alerts)
}

// Tenants reads and writes tenants.
type Tenants struct {
	TenantReads
	tx *Tx
}

// Tenants returns the view; what it writes is part of the transaction.
func (tx *Tx) Tenants() Tenants { return Tenants{tx.Reader.Tenants(), tx} }

// TenantReads are the reads of [Tenants].
type TenantReads struct{ r Reader }

// Tenants returns the view for reading.
func (r Reader) Tenants() TenantReads { return TenantReads{r} }

// Get returns a tenant by id. One that is being removed is not found, here and in the
// other reads.
func (v TenantReads) Get(ctx context.Context, id string) (identity.Tenant, error) {
	t, err := scanTenant(v.r.q.QueryRowContext(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE id = $1 AND removed_at IS NULL`, id))
	if err != nil {
		return t, notFound("tenant "+id, err)
	}
	return t, nil
}

// BySlug returns a tenant by the slug in its addresses.
func (v TenantReads) BySlug(ctx context.Context, slug string) (identity.Tenant, error) {
	t, err := scanTenant(v.r.q.QueryRowContext(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE slug = $1 AND removed_at IS NULL`, slug))
	if err != nil {
		return t, notFound("tenant "+slug, err)
	}
	return t, nil
}

// tenantCacheTime is how long a tenant is cached: every request begins with its
// tenant. A change by a command beside the server is seen within this time.
const tenantCacheTime = 250 * time.Millisecond

// A cachedTenant is a tenant, and when it was read.
type cachedTenant struct {
	identity.Tenant
	at time.Time
}

// TenantBySlug is BySlug with a cache of a quarter of a second. Only existing tenants
// are cached.
func (db *DB) TenantBySlug(ctx context.Context, slug string) (identity.Tenant, error) {
	if known, ok := db.tenants.Load(slug); ok && time.Since(known.(cachedTenant).at) < tenantCacheTime {
		return known.(cachedTenant).Tenant, nil
	}
	at := time.Now()
	t, err := db.Reader.Tenants().BySlug(ctx, slug)
	if err == nil {
		db.tenants.Store(slug, cachedTenant{t, at})
	}
	return t, err
}

// All yields all tenants in the order of slugs.
func (v TenantReads) All(ctx context.Context) iter.Seq2[identity.Tenant, error] {
	return list(ctx, v.r, "tenants", scanTenant, `SELECT `+tenantColumns+` FROM tenants WHERE removed_at IS NULL ORDER BY slug`)
}

// A Census counts what is in a tenant.
type Census struct {
	Users          int64 `json:"users"`
	Disabled       int64 `json:"users_disabled"`
	Groups         int64 `json:"groups"`
	Applications   int64 `json:"applications"`
	Authenticators int64 `json:"authenticators"` // active or pending, not revoked
}

// Census counts what is in a tenant.
func (v TenantReads) Census(ctx context.Context, tenant string) (c Census, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		/* full scan */ SELECT (SELECT COUNT(*) FROM users WHERE tenant_id = $1 AND removed_at IS NULL),
			(SELECT COUNT(*) FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND disabled_at IS NOT NULL),
			(SELECT COUNT(*) FROM groups WHERE tenant_id = $1),
			(SELECT COUNT(*) FROM applications WHERE tenant_id = $1),
			(SELECT COUNT(*) FROM authenticators WHERE tenant_id = $1 AND revoked_at IS NULL)`, tenant).Scan(
		&c.Users, &c.Disabled, &c.Groups, &c.Applications, &c.Authenticators)
	if err != nil {
		return c, notFound("census of "+tenant, err)
	}
	return c, nil
}

// Add adds a tenant and creates its data key.
func (v Tenants) Add(ctx context.Context, t identity.Tenant) error {
	alerts, err := json.Marshal(append([]string{}, t.Alerts...))
	if err != nil {
		return fmt.Errorf("store: add tenant: %w", err)
	}
	n, err := v.tx.exec(ctx, "add tenant", `
		INSERT INTO tenants (id, slug, name, organisation, language, help_contact, no_mail_names, name_label, alerts, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		t.ID, t.Slug, t.Name, t.Organisation, t.Language, t.HelpContact, flag(t.NoMailNames), t.NameLabel, string(alerts), at(v.tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return taken("tenant", t.Slug)
	}
	return v.tx.addDataKey(ctx, t.ID)
}

// Change replaces name, organisation, language, help contact, and how users are named,
// of a tenant. If they were changed since before was read, it returns a Conflict.
func (v Tenants) Change(ctx context.Context, before, after identity.Tenant) error {
	n, err := v.tx.exec(ctx, "change tenant", `
		UPDATE tenants SET name = $2, organisation = $3, language = $4, help_contact = $5, no_mail_names = $6, name_label = $7
		WHERE id = $1 AND name = $8 AND organisation = $9 AND language = $10 AND help_contact = $11 AND no_mail_names = $12 AND name_label = $13 AND removed_at IS NULL`,
		before.ID, after.Name, after.Organisation, after.Language, after.HelpContact, flag(after.NoMailNames), after.NameLabel,
		before.Name, before.Organisation, before.Language, before.HelpContact, flag(before.NoMailNames), before.NameLabel)
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return err
}

// SetAlerts sets the mail addresses of the operators who are notified of what needs
// attention in a tenant.
func (v Tenants) SetAlerts(ctx context.Context, tenant string, addresses []string) error {
	alerts, err := json.Marshal(append([]string{}, addresses...))
	if err != nil {
		return fmt.Errorf("store: set alerts: %w", err)
	}
	_, err = v.tx.exec(ctx, "set alerts", `UPDATE tenants SET alerts = $2 WHERE id = $1`, tenant, string(alerts))
	return err
}

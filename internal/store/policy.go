package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// A Policy is a tenant's document of one kind, as JSON, and its version, which every
// change increments. Version 0 means that none was set; the default of the kind
// applies.
type Policy struct {
	Kind     policy.Kind
	Version  int64
	Document []byte
}

// Policies reads and writes the policy documents of a tenant, and reads which users a
// push policy concerns.
type Policies struct {
	PolicyReads
	tx *Tx
}

// Policies returns the view; what it writes is part of the transaction.
func (tx *Tx) Policies() Policies { return Policies{tx.Reader.Policies(), tx} }

// PolicyReads are the reads of [Policies].
type PolicyReads struct{ r Reader }

// Policies returns the view for reading.
func (r Reader) Policies() PolicyReads { return PolicyReads{r} }

// Get returns a tenant's document of a kind.
func (v PolicyReads) Get(ctx context.Context, tenant string, kind policy.Kind) (Policy, error) {
	p := Policy{Kind: kind}
	err := v.r.q.QueryRowContext(ctx, `
		SELECT version, document FROM policies WHERE tenant_id = $1 AND kind = $2`, tenant, string(kind)).Scan(&p.Version, &p.Document)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return p, notFound("policy "+string(kind), err)
	}
	return p, nil
}

// All returns all documents of a tenant, by kind.
func (v PolicyReads) All(ctx context.Context, tenant string) (map[policy.Kind]Policy, error) {
	all := make(map[policy.Kind]Policy)
	for p, err := range list(ctx, v.r, "policies", func(row scanner) (p Policy, err error) {
		return p, row.Scan(&p.Kind, &p.Version, &p.Document)
	}, `SELECT kind, version, document FROM policies WHERE tenant_id = $1`, tenant) {
		if err != nil {
			return nil, err
		}
		all[p.Kind] = p
	}
	return all, nil
}

// Set replaces a document if it still has the version from which the change was made.
// Otherwise it returns a Conflict.
func (v Policies) Set(ctx context.Context, tenant string, kind policy.Kind, version int64, document []byte) error {
	query := `
		UPDATE policies SET document = $4, version = $3 + 1, changed_at = $5
		WHERE tenant_id = $1 AND kind = $2 AND version = $3`
	if version == 0 {
		query = `
		INSERT INTO policies (tenant_id, kind, version, document, changed_at) VALUES ($1, $2, $3 + 1, $4, $5)
		ON CONFLICT DO NOTHING`
	}
	n, err := v.tx.exec(ctx, "set policy "+string(kind), query, tenant, string(kind), version, string(document), at(v.tx.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return nil
}

// Lock keeps other transactions that lock them from changing any of a tenant's
// policies until the end of this one.
func (v Policies) Lock(ctx context.Context, tenant string) error {
	n, err := v.tx.exec(ctx, "lock policies", `UPDATE tenants SET slug = slug WHERE id = $1`, tenant)
	if err == nil && n == 0 {
		err = notFound("tenant "+tenant, sql.ErrNoRows)
	}
	return err
}

// ReadPolicy reads a tenant's document of D's kind, or its default.
func ReadPolicy[D policy.Document](ctx context.Context, r Reader, tenant string) (D, error) {
	var d D
	row, err := r.Policies().Get(ctx, tenant, d.Kind())
	if err != nil {
		return d, err
	}
	if d, err = policy.Read[D](row.Document); err != nil {
		return d, fmt.Errorf("store: policy %s of tenant %s: %w", d.Kind(), tenant, err)
	}
	return d, nil
}

package store

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Request is a request of a protocol. It is stored, bound to no browser, until the
// browser that brought it follows the redirect.
type Request struct {
	Tenant      string
	ID          string
	Application string
	Wants       []byte // JSON
	ExpiresAt   time.Time
}

// Requests stores the requests of protocols until their browser follows the redirect.
type Requests struct {
	tx *Tx
}

// Requests returns the view; what it writes is part of the transaction.
func (tx *Tx) Requests() Requests { return Requests{tx} }

// Add stores a request.
func (v Requests) Add(ctx context.Context, r Request) error {
	_, err := v.tx.exec(ctx, "add request", `
		INSERT INTO requests (tenant_id, id, application_id, wants, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		r.Tenant, r.ID, r.Application, string(r.Wants), at(r.ExpiresAt))
	return err
}

// Take uses up a request and returns it. It returns an Expired, with no difference
// for the client, if the request was used, has expired or never existed.
func (v Requests) Take(ctx context.Context, tenant, id string) (Request, error) {
	gone := &identity.Error{Kind: identity.Expired, Key: "error.request.expired"}
	r := Request{Tenant: tenant, ID: id}
	err := v.tx.q.QueryRowContext(ctx, `
		SELECT application_id, wants, expires_at FROM requests WHERE tenant_id = $1 AND id = $2 AND expires_at > $3`,
		tenant, id, at(v.tx.now())).Scan(&r.Application, &r.Wants, nullTime{&r.ExpiresAt})
	if err != nil {
		gone.Err = notFound("request "+id, err)
		return r, gone
	}
	if err := v.tx.UseOnce(ctx, tenant, "request", id, r.ExpiresAt); err != nil {
		gone.Err = err
		return r, gone
	}
	return r, nil
}

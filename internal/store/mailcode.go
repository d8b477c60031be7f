package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"
)

// A CodeRequest is what a journey asked for: a code by mail. What it says is sealed.
type CodeRequest struct {
	Tenant    string
	Journey   string
	Sealed    []byte
	ExpiresAt time.Time
}

func codeRequestPlace(tenant, journey string) Place {
	return Place{Tenant: tenant, Table: "code_requests", Column: "sealed", Row: journey}
}

// A MailedCode is what is kept of the newest code of a journey. The zero value is
// none.
type MailedCode struct {
	Number    int64  // which of the codes that the journey asked for, from 1
	MAC       []byte // of the code under the root Root; the code itself is not stored
	Root      int64
	ExpiresAt time.Time
}

// MailCodes reads and writes the codes that are mailed in journeys, and the requests
// for them.
type MailCodes struct {
	MailCodeReads
	tx *Tx
}

// MailCodes returns the view; what it writes is part of the transaction.
func (tx *Tx) MailCodes() MailCodes { return MailCodes{tx.Reader.MailCodes(), tx} }

// MailCodeReads are the reads of [MailCodes].
type MailCodeReads struct{ r Reader }

// MailCodes returns the view for reading.
func (r Reader) MailCodes() MailCodeReads { return MailCodeReads{r} }

// Request writes what a journey asks for, in place of what it asked for before and
// nobody has taken yet. It does the same whatever it is asked for and for whom.
func (v MailCodes) Request(ctx context.Context, tenant, journey string, content []byte, expires time.Time) error {
	sealed, err := v.tx.Seal(ctx, codeRequestPlace(tenant, journey), content)
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "request of a code", `
		INSERT INTO code_requests (tenant_id, journey_id, sealed, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, journey_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at`,
		tenant, journey, sealed, at(expires))
	v.tx.Notify(CodeRequestTopic)
	return err
}

// Requests yields at most limit requests that nobody has taken, of all tenants,
// oldest first.
func (v MailCodeReads) Requests(ctx context.Context, limit int) iter.Seq2[CodeRequest, error] {
	return list(ctx, v.r, "requests of codes", func(row scanner) (r CodeRequest, err error) {
		return r, row.Scan(&r.Tenant, &r.Journey, &r.Sealed, nullTime{&r.ExpiresAt})
	}, `SELECT tenant_id, journey_id, sealed, expires_at FROM code_requests ORDER BY expires_at LIMIT $1`, limit)
}

// Content decrypts what a request says.
func (v MailCodeReads) Content(ctx context.Context, r CodeRequest) ([]byte, error) {
	return v.r.Unseal(ctx, codeRequestPlace(r.Tenant, r.Journey), r.Sealed)
}

// Take deletes a request and reports whether this call did. Of any number of nodes
// one takes it; nobody takes one that the journey has replaced meanwhile.
func (v MailCodes) Take(ctx context.Context, r CodeRequest) (bool, error) {
	n, err := v.tx.exec(ctx, "take request of a code", `
		DELETE FROM code_requests WHERE tenant_id = $1 AND journey_id = $2 AND sealed = $3`, r.Tenant, r.Journey, r.Sealed)
	return n == 1, err
}

// Set stores the newest code of a journey in place of the one before.
func (v MailCodes) Set(ctx context.Context, tenant, journey string, c MailedCode) error {
	_, err := v.tx.exec(ctx, "mailed code", `
		INSERT INTO mailed_codes (tenant_id, journey_id, number, mac, root, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, journey_id) DO UPDATE SET number = excluded.number, mac = excluded.mac, root = excluded.root,
			expires_at = excluded.expires_at`, tenant, journey, c.Number, c.MAC, c.Root, at(c.ExpiresAt))
	return err
}

// Get returns the newest code of a journey; the zero value if none was made.
func (v MailCodeReads) Get(ctx context.Context, tenant, journey string) (c MailedCode, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT number, mac, root, expires_at FROM mailed_codes WHERE tenant_id = $1 AND journey_id = $2`,
		tenant, journey).Scan(&c.Number, &c.MAC, &c.Root, nullTime{&c.ExpiresAt})
	if errors.Is(err, sql.ErrNoRows) {
		return MailedCode{}, nil
	}
	if err != nil {
		return MailedCode{}, notFound("mailed code of "+journey, err)
	}
	return c, nil
}

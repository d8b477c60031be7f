package store

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func serverKeyPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "authenticators", Column: "server_key", Row: id}
}

// ServerKeys reads and writes the keys with which the server signs for single
// authenticators.
type ServerKeys struct {
	ServerKeyReads
	tx *Tx
}

// ServerKeys returns the view; what it writes is part of the transaction.
func (tx *Tx) ServerKeys() ServerKeys { return ServerKeys{tx.Reader.ServerKeys(), tx} }

// ServerKeyReads are the reads of [ServerKeys].
type ServerKeyReads struct{ r Reader }

// ServerKeys returns the view for reading.
func (r Reader) ServerKeys() ServerKeyReads { return ServerKeyReads{r} }

// Get decrypts the key with which the server signs for an authenticator, as PKCS #8.
// If there is none, it returns a NotFound.
func (v ServerKeyReads) Get(ctx context.Context, tenant, id string) ([]byte, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `
		SELECT server_key FROM authenticators WHERE tenant_id = $1 AND id = $2 AND server_key IS NOT NULL`, tenant, id).Scan(&sealed)
	if err != nil {
		return nil, notFound("server's key of "+id, err)
	}
	return v.r.Unseal(ctx, serverKeyPlace(tenant, id), sealed)
}

// Set seals and stores the key with which the server signs for an authenticator, as
// PKCS #8. If there is one already, it returns a Conflict: the app knows that one.
func (v ServerKeys) Set(ctx context.Context, tenant, id string, pkcs8 []byte) error {
	sealed, err := v.tx.Seal(ctx, serverKeyPlace(tenant, id), pkcs8)
	if err != nil {
		return err
	}
	n, err := v.tx.exec(ctx, "set server's key", `
		UPDATE authenticators SET server_key = $3 WHERE tenant_id = $1 AND id = $2 AND server_key IS NULL`, tenant, id, sealed)
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return err
}

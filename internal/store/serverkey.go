package store

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func serverKeyPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "authenticators", Column: "server_key", Row: id}
}

// ServerKey opens the key that the server signs with for one authenticator, as
// PKCS #8. A NotFound says that it has none.
func (r reader) ServerKey(ctx context.Context, tenant, id string) ([]byte, error) {
	var sealed []byte
	err := r.q.QueryRowContext(ctx, `
		SELECT server_key FROM authenticators WHERE tenant_id = $1 AND id = $2 AND server_key IS NOT NULL`, tenant, id).Scan(&sealed)
	if err != nil {
		return nil, missing("server's key of "+id, err)
	}
	return r.Unseal(ctx, serverKeyPlace(tenant, id), sealed)
}

// SetServerKey gives an authenticator the key the server signs with for it,
// PKCS #8, sealed. One that has a key is a Conflict: its app knows that one.
func (tx *Tx) SetServerKey(ctx context.Context, tenant, id string, pkcs8 []byte) error {
	sealed, err := tx.Seal(ctx, serverKeyPlace(tenant, id), pkcs8)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, "set server's key", `
		UPDATE authenticators SET server_key = $3 WHERE tenant_id = $1 AND id = $2 AND server_key IS NULL`, tenant, id, sealed)
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict"}
	}
	return err
}

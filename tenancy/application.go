package tenancy

import (
	"context"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

// AddApplication adds an application, which a protocol's package made, to a
// tenant.
func AddApplication(ctx context.Context, db *store.DB, who identity.Principal, tenant string, app identity.Application) (identity.Application, error) {
	app.Tenant = tenant
	err := db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.AddApplication(ctx, app); err != nil {
			return err
		}
		err := tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.ApplicationAdded, Application: app.ID, Data: map[string]string{
			"name": app.Name, "protocol": string(app.Protocol), "identifier": app.Identifier, "after": string(app.Config)}})
		if err != nil {
			return err
		}
		app, err = tx.Application(ctx, tenant, app.ID)
		return err
	})
	return app, err
}

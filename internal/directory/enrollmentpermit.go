package directory

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// AllowEnrollment gives a user a permit to enrol once more. The next enrolment uses it up
// (ENR-1).
func (d *Directory) AllowEnrollment(ctx context.Context, who identity.Principal, tenant, user string) error {
	return d.db.InTx(ctx, who, func(tx *store.Tx) error {
		u, err := tx.Users().ByName(ctx, tenant, user)
		if err != nil {
			return err
		}
		if err := tx.Users().AllowEnrollment(ctx, tenant, u.ID); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.EnrollAllowed, User: u.ID})
	})
}

package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorResetPIN struct {
	Serial string `arg:"" help:"Serial of the authenticator."`
}

func (authenticatorResetPIN) Help() string {
	return `For who forgot the PIN that is typed with the passcode, once you are sure whom you are talking to. It is said once. Another is chosen at its first use, unless policy leaves it at this one.

Example:

    latchkey authenticator reset-pin LK-4F7K-20QX`
}

// Run makes another PIN.
func (c *authenticatorResetPIN) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		a, err := ts.authenticator(ctx, c.Serial)
		if err != nil {
			return err
		}
		row := struct {
			Serial string `json:"serial"`
			PIN    string `json:"pin"`
		}{Serial: a.Serial}
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			if a, err = tx.Authenticators().Get(ctx, ts.tenant.ID, a.ID); err != nil {
				return err
			}
			row.PIN, err = authenticator.ResetServerPIN(ctx, tx, a)
			return err
		})
		if err != nil {
			return err
		}
		return s.print(row, "The PIN of %s is %s.", a.Serial, row.PIN)
	})
}

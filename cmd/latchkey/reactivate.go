package main

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorReactivate struct {
	Serial string `arg:"" help:"Serial of the app whose phone is gone."`
}

func (authenticatorReactivate) Help() string {
	return `For who has a new phone, or has locked the app by wrong PINs, once you are sure whom you are talking to: whoever gets the link or the code becomes this user's authenticator. The old app goes on until a new one is set up with it, and is revoked in that moment. A new link ends the one before.

Example:

    latchkey authenticator reactivate LK-4F7K-20QX`
}

// reactivationRow is an activation, whose link is shown once.
type reactivationRow struct {
	Serial    string    `json:"serial"`
	Link      string    `json:"link"`
	ShortCode string    `json:"short_code"`
	Until     time.Time `json:"until"`
}

// Run makes an activation for an authenticator that exists.
func (c *authenticatorReactivate) Run(ctx context.Context, s *shell) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	base, err := config.Authenticator()
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		a, err := ts.authenticator(ctx, c.Serial)
		if err != nil {
			return err
		}
		var made enroll.Activation
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			made, err = admin.Reactivate(ctx, tx, a)
			return err
		})
		if err != nil {
			return err
		}
		row := reactivationRow{a.Serial, made.Link(base.String()), made.ShortCode, made.ExpiresAt}
		return s.print(row, "%s\nOr, in the authenticator: %s\nGood until %s. %s goes on until the new phone is set up.", row.Link, row.ShortCode, formatTime(row.Until), a.Serial)
	})
}

package main

import (
	"context"
	"strings"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

type authenticatorRecovery struct {
	User string `arg:"" help:"Whom they are for."`
}

func (authenticatorRecovery) Help() string {
	return `Ten codes, each of which works once in place of a passcode; those the user had are void. They are shown this once, to be printed and handed over; the user is told by mail that there are new ones.

Example:

    latchkey authenticator recovery-codes anna`
}

// recoveryRow is a set of recovery codes, which is shown once.
type recoveryRow struct {
	User  string   `json:"user"`
	Codes []string `json:"codes"`
}

// Run makes recovery codes for a user.
func (c *authenticatorRecovery) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		var codes []string
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			codes, err = authenticator.MakeRecoveryCodes(ctx, tx, u, templates.Origin{At: tx.Now()})
			return err
		})
		if err != nil {
			return err
		}
		return s.print(recoveryRow{u.Name, codes}, "Recovery codes of %s, shown this once:\n\n%s", u.Name, strings.Join(codes, "\n"))
	})
}

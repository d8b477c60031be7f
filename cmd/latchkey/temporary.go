package main

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorTemporary struct {
	User   string        `arg:"" help:"Whom it is for."`
	For    time.Duration `default:"8h" help:"How long it stands: 1m to 24h."`
	Uses   string        `enum:"once,many" default:"once" placeholder:"once|many" help:"How often it works: ${enum}."`
	Revoke bool          `help:"End the one there is instead."`
}

func (authenticatorTemporary) Help() string {
	return `For who has lost, broken or forgotten an authenticator, once you are sure whom you are talking to. It is shown this once; the user types it where a passcode is asked for. The user is told by mail that there is one. A new one ends the one before. Where policy refuses passcodes to the user, it refuses this one too.

Examples:

    latchkey authenticator temporary anna

    latchkey authenticator temporary anna --for 24h --uses many

    latchkey authenticator temporary anna --revoke`
}

// temporaryRow is a temporary passcode as it is said once.
type temporaryRow struct {
	User     string    `json:"user"`
	Passcode string    `json:"passcode,omitempty"` // empty once it was revoked
	Until    time.Time `json:"until,omitzero"`
	Uses     string    `json:"uses,omitempty"`
}

// Run makes a temporary passcode for a user, or ends it.
func (c *authenticatorTemporary) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		if c.Revoke {
			err := ts.db.InTx(ctx, ts.who, func(tx *store.Tx) error { return authenticator.RevokeTemporary(ctx, tx, u) })
			if err != nil {
				return err
			}
			return s.print(temporaryRow{User: u.Name}, "The temporary passcode of %s is over.", u.Name)
		}
		if c.For < authenticator.MinTemporaryLifetime || c.For > authenticator.MaxTemporaryLifetime {
			return usageErrorf("--for must be from 1m to 24h")
		}
		var code string
		var made store.TemporaryPasscode
		err = ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
			code, made, err = authenticator.MakeTemporary(ctx, tx, u, c.For, c.Uses == "many")
			return err
		})
		if err != nil {
			return err
		}
		how := "once"
		if made.Many {
			how = "as often as needed"
		}
		return s.print(temporaryRow{u.Name, code, made.ExpiresAt.UTC(), c.Uses}, "Temporary passcode of %s, shown this once: %s\nIt works %s, until %s.",
			u.Name, code[:4]+" "+code[4:], how, formatTime(made.ExpiresAt))
	})
}

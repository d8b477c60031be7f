package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/store"
)

type afterPromotionCommand struct {
	Yes bool `help:"Do not ask."`
}

func (afterPromotionCommand) Help() string {
	return `A replica of PostgreSQL that took the place of its primary may lack transactions that people had been told of, unless it was synchronous. Then a passcode that was used, or a code that was redeemed, works once more. This command invalidates in the database what a restore does: sessions, tokens, logins and enrolments under way, mails that wait, passcodes of the past and of the next minute.

Shut the former primary off and stop all nodes first; start them afterwards. What was changed in the lost transactions has to be changed again: passwords, locks, revoked authenticators.

Example:

    latchkey after-promotion --dir /var/lib/latchkey`
}

// Run begins a restore generation.
func (c *afterPromotionCommand) Run(ctx context.Context, s *shell) error {
	return s.database(ctx, func(db *store.DB) error {
		if err := s.confirm(ctx, c.Yes, "Everybody has to log in again, and what people have under way is over."); err != nil {
			return err
		}
		ended, err := db.AfterPromotion(ctx, s.principal())
		if err != nil {
			return err
		}
		return s.print(ended, "%s", overText("they may have been used in transactions that were lost", ended))
	})
}

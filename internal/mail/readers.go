package mail

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Reader is who gets a mail about a user, in which language.
type Reader struct {
	Address, Language string
	Operator          bool
}

// Readers are whom a mail about a user goes to: the user, the operators at the
// addresses the tenant gives for alerts, or both. One whose address nobody can be
// reached at is left out, and must not undo what the mail tells of.
func Readers(ctx context.Context, tx *store.Tx, u identity.User, user, operators bool) ([]Reader, error) {
	var to []Reader
	add := func(r Reader) {
		if CheckAddress(r.Address) == nil {
			to = append(to, r)
		}
	}
	if user {
		add(Reader{Address: u.Mail, Language: u.Language})
	}
	if operators {
		tenant, err := tx.Tenants().Get(ctx, u.Tenant)
		if err != nil {
			return nil, err
		}
		for _, address := range tenant.Alerts {
			add(Reader{address, tenant.Language, true})
		}
	}
	return to, nil
}

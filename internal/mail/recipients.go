package mail

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A Recipient gets a mail about a user, in a language.
type Recipient struct {
	Address, Language string
	Operator          bool
}

// Words returns an alert in the words for this recipient.
func (r Recipient) Words(alert templates.Alert) templates.Mail {
	if r.Operator {
		return alert.ForOperators()
	}
	return alert
}

// Recipients of a mail about a user are the user, the operators at the
// addresses that the tenant has for alerts, or both. One without a valid
// address is left out: it must not undo the change that the mail reports.
func Recipients(ctx context.Context, tx *store.Tx, u identity.User, user, operators bool) ([]Recipient, error) {
	var to []Recipient
	add := func(r Recipient) {
		if CheckAddress(r.Address) == nil {
			to = append(to, r)
		}
	}
	if user {
		add(Recipient{Address: u.Mail, Language: u.Language})
	}
	if operators {
		tenant, err := tx.Tenants().Get(ctx, u.Tenant)
		if err != nil {
			return nil, err
		}
		for _, address := range tenant.Alerts {
			add(Recipient{address, tenant.Language, true})
		}
	}
	return to, nil
}

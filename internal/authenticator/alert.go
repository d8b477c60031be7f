package authenticator

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// lockout reads a tenant's present lockout policy.
func lockout(ctx context.Context, tx *store.Tx, tenant string) (policy.Lockout, error) {
	row, err := tx.Policies().Get(ctx, tenant, policy.KindLockout)
	if err != nil {
		return policy.Lockout{}, err
	}
	rules, err := policy.Read[policy.Lockout](row.Document)
	if err != nil {
		return rules, fmt.Errorf("authenticator: %w", err)
	}
	return rules, nil
}

// notifyLocked queues mails about authenticators that were locked together, to the
// users and the operators that policy names (CRED-13). If an authenticator has
// several users, each gets a mail.
func notifyLocked(ctx context.Context, tx *store.Tx, locked []identity.Authenticator, by templates.LockedBy, until time.Time, from templates.Origin) error {
	rules, err := lockout(ctx, tx, locked[0].Tenant)
	if err != nil {
		return err
	}
	if by == templates.LockedByOperator {
		rules.NotifyOperators = false // an operator locked it
	}
	names := make(map[string][]string)
	var users []string
	for _, a := range locked {
		of, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
		if err != nil {
			return err
		}
		for _, user := range of {
			if names[user] == nil {
				users = append(users, user)
			}
			names[user] = append(names[user], a.Name)
		}
	}
	for _, id := range users {
		if err := push.NotifyWaiting(ctx, tx, locked[0].Tenant, id); err != nil {
			return err
		}
		err := queueAlert(ctx, tx, rules, locked[0].Tenant, id, func(u identity.User, r mail.Recipient) templates.Mail {
			return r.Words(templates.AuthenticatorLocked{Name: u.Name, Devices: names[id], By: by, Until: until, Origin: from})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// notifyPasscodesLocked queues mails about a user's locked passcodes to whom policy
// names.
func notifyPasscodesLocked(ctx context.Context, tx *store.Tx, try Attempt, until time.Time) error {
	return queueAlert(ctx, tx, try.Rules, try.Tenant, try.User, func(u identity.User, r mail.Recipient) templates.Mail {
		return r.Words(templates.PasscodesLocked{Name: u.Name, Until: until, Origin: try.From})
	})
}

// notifyUnlocked queues mails about an unlocked authenticator to its users. Operators
// get none: they unlocked it, or configured the time after which it unlocks.
func notifyUnlocked(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	rules, err := lockout(ctx, tx, a.Tenant)
	if err != nil {
		return err
	}
	rules.NotifyOperators = false
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return err
	}
	for _, id := range users {
		err := queueAlert(ctx, tx, rules, a.Tenant, id, func(u identity.User, _ mail.Recipient) templates.Mail {
			return templates.AuthenticatorUnlocked{Name: u.Name, Device: a.Name, Origin: templates.Origin{At: tx.Now()}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// queueAlert queues a mail about a user for everybody whom the rules name.
func queueAlert(ctx context.Context, tx *store.Tx, rules policy.Lockout, tenant, user string, about func(u identity.User, r mail.Recipient) templates.Mail) error {
	u, err := tx.Users().Get(ctx, tenant, user)
	if err != nil {
		return err
	}
	to, err := mail.Recipients(ctx, tx, u, rules.NotifyUser, rules.NotifyOperators)
	if err != nil {
		return err
	}
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: tenant, Mail: about(u, r), To: r.Address, Language: r.Language,
			Expires: tx.Now().Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

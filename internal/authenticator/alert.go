package authenticator

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// lockout reads a tenant's rules for locks as they stand now.
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

// tellLocked tells by mail whom policy wants told that authenticators were locked,
// all at the same moment by the same thing (CRED-13). One that several users have
// is told to each.
func tellLocked(ctx context.Context, tx *store.Tx, locked []identity.Authenticator, by templates.LockedBy, until time.Time, from templates.Origin) error {
	rules, err := lockout(ctx, tx, locked[0].Tenant)
	if err != nil {
		return err
	}
	if by == templates.LockedByOperator {
		rules.NotifyOperators = false // one of them did
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
		err := tellOf(ctx, tx, rules, locked[0].Tenant, id, func(u identity.User, operators bool) templates.Mail {
			return templates.AuthenticatorLocked{Name: u.Name, Devices: names[id], By: by, Until: until, Origin: from, Operators: operators}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellPasscodesLocked tells whom policy wants told that a user's passcodes are
// locked.
func tellPasscodesLocked(ctx context.Context, tx *store.Tx, try Attempt, until time.Time) error {
	return tellOf(ctx, tx, try.Rules, try.Tenant, try.User, func(u identity.User, operators bool) templates.Mail {
		return templates.PasscodesLocked{Name: u.Name, Until: until, Origin: try.From, Operators: operators}
	})
}

// tellUnlocked tells an authenticator's users that its lock is over. Operators
// ended it, or gave it its time: they are not told.
func tellUnlocked(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
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
		err := tellOf(ctx, tx, rules, a.Tenant, id, func(u identity.User, _ bool) templates.Mail {
			return templates.AuthenticatorUnlocked{Name: u.Name, Device: a.Name, Origin: templates.Origin{At: tx.Now()}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellOf queues a mail about a user to whom the rules name.
func tellOf(ctx context.Context, tx *store.Tx, rules policy.Lockout, tenant, user string, about func(u identity.User, operators bool) templates.Mail) error {
	u, err := tx.Users().Get(ctx, tenant, user)
	if err != nil {
		return err
	}
	to, err := mail.Recipients(ctx, tx, u, rules.NotifyUser, rules.NotifyOperators)
	if err != nil {
		return err
	}
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: tenant, Mail: about(u, r.Operator), To: r.Address, Language: r.Language,
			Expires: tx.Now().Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

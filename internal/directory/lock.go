package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// LockIfExceeded locks a user's logins if the failure just counted exceeds the threshold
// (CRED-20), writes the event, and queues mails to the user and the operators as policy says
// (CRED-13). It is called after every failure that counts: a wrong password, a wrong
// passcode, "it wasn't me", a wrong presence number.
func LockIfExceeded(ctx context.Context, tx *store.Tx, rules policy.Lockout, t store.FailureCounter, u identity.User, journey string, from templates.Origin) error {
	_, err := lockIfExceeded(ctx, tx, rules, t, u, journey, from, func(mail.Recipient) *templates.RejectedPush { return nil })
	return err
}

// lockIfExceeded is LockIfExceeded for a failure that mails shall mention. It returns the
// recipients of the mails.
func lockIfExceeded(ctx context.Context, tx *store.Tx, rules policy.Lockout, t store.FailureCounter, u identity.User, journey string, from templates.Origin,
	besides func(mail.Recipient) *templates.RejectedPush) (map[mail.Recipient]bool, error) {
	until := tx.Now().Add(time.Duration(rules.Period) * time.Second)
	locked, err := tx.Attempts().LockIfExceeded(ctx, t, rules.Threshold, until)
	if err != nil || !locked {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: t.Tenant, Kind: audit.UserLocked, User: t.User, Journey: journey,
		Data: map[string]string{"until": until.UTC().Format(time.RFC3339)}})
	if err != nil {
		return nil, err
	}
	to, err := mail.Recipients(ctx, tx, u, rules.NotifyUser, rules.NotifyOperators)
	if err != nil {
		return nil, err
	}
	told := make(map[mail.Recipient]bool)
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: t.Tenant, To: r.Address, Language: r.Language,
			Mail:   r.Words(templates.UserLocked{Name: u.Name, Until: until, Origin: from, Rejected: besides(r)}),
			Dedupe: fmt.Sprintf("locked %s %s %d %s", t.User, t.Browser, until.Unix(), r.Address), Expires: until.Add(24 * time.Hour)})
		if err != nil {
			return nil, err
		}
		told[r] = true
	}
	return told, nil
}

// NotifyUnlocked notifies a user by mail that a lock of logins is over, if the user was
// notified of the lock. It is called when a login succeeds after a lock expired, and when an
// operator unlocks a user.
func NotifyUnlocked(ctx context.Context, tx *store.Tx, rules policy.Lockout, u identity.User, from templates.Origin) error {
	if !u.UnlockDue {
		return nil
	}
	due, err := tx.Users().TakeUnlockMail(ctx, u.Tenant, u.ID)
	if err != nil || !due {
		return err
	}
	to, err := mail.Recipients(ctx, tx, u, rules.NotifyUser, false)
	if err != nil {
		return err
	}
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, To: r.Address, Language: r.Language,
			Mail: templates.UserUnlocked{Name: u.Name, Origin: from}, Expires: tx.Now().Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/mail"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
)

// LockIfExceeded locks a user's logins if the failure just counted was one too
// many (CRED-20), with its event, and tells by mail whom policy wants told: the
// user, the operators (CRED-13). Every failure that counts ends here: a wrong
// password, a wrong passcode, "it wasn't me", a wrong presence number.
func LockIfExceeded(ctx context.Context, tx *store.Tx, rules policy.Lockout, t store.Tally, u identity.User, journey string, from templates.Origin) error {
	_, err := lockIfExceeded(ctx, tx, rules, t, u, journey, from, func(reader) *templates.RejectedPush { return nil })
	return err
}

// lockIfExceeded is LockIfExceeded for a failure of which each reader is told
// something besides. It returns who was told of a lock.
func lockIfExceeded(ctx context.Context, tx *store.Tx, rules policy.Lockout, t store.Tally, u identity.User, journey string, from templates.Origin,
	besides func(reader) *templates.RejectedPush) (map[reader]bool, error) {
	until := tx.Now().Add(time.Duration(rules.Period) * time.Second)
	locked, err := tx.LockIfExceeded(ctx, t, rules.Threshold, until)
	if err != nil || !locked {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: t.Tenant, Kind: audit.UserLocked, User: t.User, Journey: journey,
		Data: map[string]string{"until": until.UTC().Format(time.RFC3339)}})
	if err != nil {
		return nil, err
	}
	to, err := readers(ctx, tx, u, rules.NotifyUser, rules.NotifyOperators)
	if err != nil {
		return nil, err
	}
	told := make(map[reader]bool)
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: t.Tenant, Kind: templates.MailLocked, To: r.address, Language: r.language,
			Args:   templates.UserLocked{Name: u.Name, Until: until, Origin: from, Rejected: besides(r)},
			Dedupe: fmt.Sprintf("locked %s %s %d %s", t.User, t.Browser, until.Unix(), r.address), Expires: until.Add(24 * time.Hour)})
		if err != nil {
			return nil, err
		}
		told[r] = true
	}
	return told, nil
}

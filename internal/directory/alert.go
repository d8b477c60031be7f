package directory

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

// RejectPush counts a push that its user rejected with *it wasn't me* as a failed login,
// which may lock the user, and alerts those whom the alerts name (PUSH-14). A mail about
// the lock mentions the rejection, so that nobody gets two mails.
func RejectPush(ctx context.Context, tx *store.Tx, rules policy.Lockout, alerts policy.Alerts, t store.FailureCounter, u identity.User, p store.PushRequest, from templates.Origin) error {
	// Somebody else has the password, and remembered devices may be theirs too.
	if _, err := tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "push rejected"); err != nil {
		return err
	}
	rejected := templates.RejectedPush{Name: u.Name, Application: p.Application, Origin: from}
	told, err := lockIfExceeded(ctx, tx, rules, t, u, p.Journey, from, func(r mail.Recipient) *templates.RejectedPush {
		if r.Operator && !alerts.Operators || !r.Operator && !alerts.User {
			return nil
		}
		also := rejected
		also.Operators = r.Operator
		return &also
	})
	if err != nil {
		return err
	}
	to, err := mail.Recipients(ctx, tx, u, alerts.User, alerts.Operators)
	if err != nil {
		return err
	}
	for _, r := range to {
		if told[r] {
			continue
		}
		rejected.Operators = r.Operator
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, To: r.Address, Language: r.Language,
			Mail: rejected, Dedupe: fmt.Sprintf("rejected %s %s", p.ID, r.Address), Expires: tx.Now().Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

// NotifyPushLocked queues mails to a user, and to operators if the alerts name them,
// about a lock of push until a time (PUSH-9). It must be called in the transaction that
// locked it, so that each lock is mailed once.
func NotifyPushLocked(ctx context.Context, tx *store.Tx, alerts policy.Alerts, u identity.User, until time.Time, from templates.Origin) error {
	to, err := mail.Recipients(ctx, tx, u, true, alerts.Operators)
	if err != nil {
		return err
	}
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, To: r.Address, Language: r.Language,
			Mail:   templates.LockedPush{Name: u.Name, Until: until, Origin: from, Operators: r.Operator},
			Dedupe: fmt.Sprintf("push locked %s %d %s", u.ID, until.Unix(), r.Address), Expires: until.Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

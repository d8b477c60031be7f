package directory

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

// FailedAnswer counts an answer that counts as a failed login of the user, *it wasn't
// me* or a wrong number, where the journey's other failures count, and locks the user if
// that was one too many (CRED-20). The authenticators' own counters do not change
// (PUSH-14). It must be called in the transaction in which the answer was taken.
func FailedAnswer(ctx context.Context, tx *store.Tx, answer push.AnswerResult) error {
	p := answer.Request
	lockout, err := store.ReadPolicy[policy.Lockout](ctx, tx.Reader, p.Tenant)
	if err != nil {
		return err
	}
	j, err := tx.Journeys().Get(ctx, p.Tenant, p.Journey)
	if err != nil {
		return err
	}
	u, err := tx.Users().Get(ctx, p.Tenant, p.User)
	if err != nil {
		return err
	}
	counter := store.FailureCounter{Tenant: p.Tenant, User: p.User}
	if j.KnownBrowser {
		counter.Browser = j.Browser
	}
	if _, err := tx.Attempts().Reserve(ctx, counter, lockout.Threshold); err != nil {
		return err
	}
	from := templates.Origin{IP: p.IP, Place: p.Place, Browser: j.Fingerprint, At: tx.Now()}
	if answer.Outcome != store.PushNotMe {
		return LockIfExceeded(ctx, tx, lockout, counter, u, p.Journey, from)
	}
	rules, err := store.ReadPolicy[policy.Push](ctx, tx.Reader, p.Tenant)
	if err != nil {
		return err
	}
	return rejectPush(ctx, tx, lockout, rules.Alerts, counter, u, p, from)
}

// rejectPush counts a push that its user rejected with *it wasn't me* as a failed login,
// which may lock the user, and alerts those whom the alerts name (PUSH-14). A mail about
// the lock mentions the rejection, so that nobody gets two mails.
func rejectPush(ctx context.Context, tx *store.Tx, rules policy.Lockout, alerts policy.Alerts, t store.FailureCounter, u identity.User, p store.PushRequest, from templates.Origin) error {
	// Somebody else has the password, and remembered devices may be theirs too.
	if _, err := tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, "push rejected"); err != nil {
		return err
	}
	rejected := templates.RejectedPush{Name: u.Name, Application: p.Application, Origin: from}
	told, err := lockIfExceeded(ctx, tx, rules, t, u, p.Journey, from, func(r mail.Recipient) *templates.RejectedPush {
		if r.Operator && !alerts.Operators || !r.Operator && !alerts.User {
			return nil
		}
		return &rejected
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
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, To: r.Address, Language: r.Language,
			Mail: r.Words(rejected), Dedupe: fmt.Sprintf("rejected %s %s", p.ID, r.Address), Expires: tx.Now().Add(24 * time.Hour)})
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
			Mail:   r.Words(templates.LockedPush{Name: u.Name, Until: until, Origin: from}),
			Dedupe: fmt.Sprintf("push locked %s %d %s", u.ID, until.Unix(), r.Address), Expires: until.Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

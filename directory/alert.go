package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/mail"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A reader is who gets a mail, in which language.
type reader struct {
	address, language string
	operator          bool
}

// readers are whom a mail about a user goes to: the user, the operators at the
// addresses the tenant gives for alerts, or both. One whose address nobody can be
// reached at is left out, and must not undo what the mail tells of.
func readers(ctx context.Context, tx *store.Tx, u identity.User, user, operators bool) ([]reader, error) {
	var to []reader
	add := func(r reader) {
		if mail.CheckAddress(r.address) == nil {
			to = append(to, r)
		}
	}
	if user {
		add(reader{address: u.Mail, language: u.Language})
	}
	if operators {
		tenant, err := tx.Tenant(ctx, u.Tenant)
		if err != nil {
			return nil, err
		}
		for _, address := range tenant.Alerts {
			add(reader{address, tenant.Language, true})
		}
	}
	return to, nil
}

// RejectPush counts a push that its user answered with *it wasn't me* as a failed
// login, which may lock the user, and alerts whom the alerts name (PUSH-14). Who
// is told of the lock reads of the rejection in the same mail.
func RejectPush(ctx context.Context, tx *store.Tx, rules policy.Lockout, alerts policy.Alerts, t store.Tally, u identity.User, p store.PushRequest, from templates.Origin) error {
	// Somebody has the password: whatever was remembered may be theirs too.
	if _, err := tx.ForgetDevices(ctx, u.Tenant, u.ID, "push rejected"); err != nil {
		return err
	}
	rejected := templates.RejectedPush{Name: u.Name, Application: p.Application, Origin: from}
	told, err := lockIfExceeded(ctx, tx, rules, t, u, p.Journey, from, func(r reader) *templates.RejectedPush {
		if r.operator && !alerts.Operators || !r.operator && !alerts.User {
			return nil
		}
		also := rejected
		also.Operators = r.operator
		return &also
	})
	if err != nil {
		return err
	}
	to, err := readers(ctx, tx, u, alerts.User, alerts.Operators)
	if err != nil {
		return err
	}
	for _, r := range to {
		if told[r] {
			continue
		}
		rejected.Operators = r.operator
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Kind: templates.MailPushRejected, To: r.address, Language: r.language,
			Args: rejected, Dedupe: fmt.Sprintf("rejected %s %s", p.ID, r.address), Expires: tx.Now().Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

// TellPushLocked tells a user by mail that push is locked until a time, and the
// operators if the alerts name them (PUSH-9). It belongs in the transaction that
// locked it: there is one mail a lock.
func TellPushLocked(ctx context.Context, tx *store.Tx, alerts policy.Alerts, u identity.User, until time.Time, from templates.Origin) error {
	to, err := readers(ctx, tx, u, true, alerts.Operators)
	if err != nil {
		return err
	}
	for _, r := range to {
		err := mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Kind: templates.MailPushLocked, To: r.address, Language: r.language,
			Args:   templates.LockedPush{Name: u.Name, Until: until, Origin: from, Operators: r.operator},
			Dedupe: fmt.Sprintf("push locked %s %d %s", u.ID, until.Unix(), r.address), Expires: until.Add(24 * time.Hour)})
		if err != nil {
			return err
		}
	}
	return nil
}

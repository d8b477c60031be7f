package directory

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/mail"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
)

// LockIfExceeded locks a user's logins if the failure just counted was one too
// many (CRED-20), with its event, and tells the user by mail (CRED-13). Every
// failure that counts ends here: a wrong password, a wrong passcode, "it wasn't
// me", a wrong presence number.
func LockIfExceeded(ctx context.Context, tx *store.Tx, rules policy.Lockout, t store.Tally, u identity.User, journey string, from templates.Origin) error {
	until := tx.Now().Add(time.Duration(rules.Period) * time.Second)
	locked, err := tx.LockIfExceeded(ctx, t, rules.Threshold, until)
	if err != nil || !locked {
		return err
	}
	err = tx.Event(ctx, audit.Event{Tenant: t.Tenant, Kind: audit.UserLocked, User: t.User, Journey: journey,
		Data: map[string]string{"until": until.UTC().Format(time.RFC3339)}})
	if err != nil || !rules.NotifyUser || u.Mail == "" {
		return err
	}
	return mail.Queue(ctx, tx, mail.Message{Tenant: t.Tenant, Kind: templates.MailLocked, To: u.Mail, Language: u.Language,
		Args:   templates.UserLocked{Name: u.Name, Until: until, Origin: from},
		Dedupe: "locked " + t.User + " " + until.UTC().Format(time.RFC3339), Expires: until.Add(24 * time.Hour)})
}

package authenticator

import (
	"context"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A set of recovery codes has ten codes of 80 bits each. They cannot be guessed, however
// many users have some and however slowly attempts are counted (CRED-16).
const (
	RecoveryCodes  = 10
	recoveryLength = 16
)

// MakeRecoveryCodes makes a new set of recovery codes for a user, which replaces the
// previous set, and notifies the user by mail. It returns the codes as they are shown.
// They are never returned again.
//
// Recovery codes do not count as an authenticator (ENR-1). A user who has only recovery
// codes may use self-provisioning where policy allows that. Otherwise a recovery code
// only logs in. from is the origin of the request.
func MakeRecoveryCodes(ctx context.Context, tx *store.Tx, u identity.User, from templates.Origin) ([]string, error) {
	rules, err := ReadCredentials(ctx, tx.Reader, u.Tenant)
	if err != nil {
		return nil, err
	}
	if !rules.RecoveryCodes {
		return nil, &identity.Error{Kind: identity.Conflict, Key: "error.recovery.off"}
	}
	before, err := tx.RecoveryCodes().Get(ctx, u.Tenant, u.ID)
	if err != nil {
		return nil, err
	}
	codes, shown := make([]string, RecoveryCodes), make([]string, RecoveryCodes)
	for i := range codes {
		codes[i] = otp.NewSpelled(recoveryLength)
		shown[i] = FormatRecoveryCode(codes[i])
	}
	if err := tx.RecoveryCodes().Replace(ctx, u.Tenant, u.ID, codes); err != nil {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.RecoveryCodesMade, User: u.ID,
		Data: map[string]string{"made": strconv.Itoa(RecoveryCodes), "voided": strconv.Itoa(before.Left)}})
	if err != nil {
		return nil, err
	}
	return shown, queueMail(ctx, tx, u, templates.RecoveryCodesMade{Name: u.Name, Codes: RecoveryCodes, Origin: from})
}

// CanonicalRecoveryCode returns the canonical form of a recovery code that somebody
// typed, or "" if it cannot be one. That is a typing error and not an attempt.
func CanonicalRecoveryCode(typed string) string { return otp.CanonicalSpelled(typed, recoveryLength) }

// FormatRecoveryCode returns a recovery code as it is shown: in four groups of four.
func FormatRecoveryCode(code string) string { return otp.ShowSpelled(code, 4) }

// A RecoveryAttempt is a recovery code that a user typed, and its context.
type RecoveryAttempt struct {
	User        identity.User
	Application string // id, for the event
	Journey     string // id, for the event
	Code        string // in its canonical form
	Origin      templates.Origin
}

// UseRecoveryCode uses up a recovery code, writes its event and notifies the user by
// mail how many are left. It returns false for a wrong code as well as for a used one.
// The transaction must be committed in that case too, so that the attempt counts
// (T-LOG-30).
func UseRecoveryCode(ctx context.Context, tx *store.Tx, try RecoveryAttempt) (bool, error) {
	u := try.User
	used, err := tx.RecoveryCodes().Use(ctx, u.Tenant, u.ID, try.Code)
	if err != nil {
		return false, err
	}
	e := audit.Event{Tenant: u.Tenant, Kind: audit.RecoveryCodeWrong, User: u.ID, Application: try.Application, Journey: try.Journey, Reason: string(Wrong)}
	if !used {
		known, err := tx.RecoveryCodes().Has(ctx, u.Tenant, u.ID, try.Code)
		if err != nil {
			return false, err
		}
		if known {
			e.Reason = string(Replayed)
		}
		return false, tx.Event(ctx, e)
	}
	set, err := tx.RecoveryCodes().Get(ctx, u.Tenant, u.ID)
	if err != nil {
		return false, err
	}
	e.Kind, e.Reason, e.Data = audit.RecoveryCodeRight, "", map[string]string{"left": strconv.Itoa(set.Left)}
	if err := tx.Event(ctx, e); err != nil {
		return false, err
	}
	return true, queueMail(ctx, tx, u, templates.RecoveryCodeUsed{Name: u.Name, Left: set.Left, Origin: try.Origin})
}

// queueMail queues a mail about a change of a user's credentials. It does nothing if
// the user has no valid address.
func queueMail(ctx context.Context, tx *store.Tx, u identity.User, about templates.Mail) error {
	if mail.CheckAddress(u.Mail) != nil {
		return nil
	}
	return mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Mail: about, To: u.Mail, Language: u.Language,
		Expires: tx.Now().Add(24 * time.Hour)})
}

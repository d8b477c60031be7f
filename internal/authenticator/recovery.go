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

// A set of recovery codes has ten, of 80 bits each: nobody guesses one, however
// many users have some and however slowly they are counted (CRED-16).
const (
	RecoveryCodes  = 10
	recoveryLength = 16
)

// MakeRecoveryCodes makes a set of recovery codes for a user, as they are shown,
// in place of the set there was, and tells the user by mail. They are in no
// answer after this one.
//
// They are no authenticator (ENR-1): who has nothing but recovery codes may set
// one up alone where that is allowed, and who may not is let in by a code and no
// further. from is where the person sits.
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
		shown[i] = ShowRecoveryCode(codes[i])
	}
	if err := tx.RecoveryCodes().Replace(ctx, u.Tenant, u.ID, codes); err != nil {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.RecoveryCodesMade, User: u.ID,
		Data: map[string]string{"made": strconv.Itoa(RecoveryCodes), "voided": strconv.Itoa(before.Left)}})
	if err != nil {
		return nil, err
	}
	return shown, tell(ctx, tx, u, templates.RecoveryCodesMade{Name: u.Name, Codes: RecoveryCodes, Origin: from})
}

// CanonicalRecoveryCode returns the recovery code that somebody typed, or "" if
// it cannot be one, which is a slip of the hand and no try.
func CanonicalRecoveryCode(typed string) string { return otp.CanonicalSpelled(typed, recoveryLength) }

// ShowRecoveryCode is how a recovery code is shown: XXXX-XXXX-XXXX-XXXX.
func ShowRecoveryCode(code string) string { return otp.ShowSpelled(code, 4) }

// A Recovery is a recovery code that somebody typed, and for what.
type Recovery struct {
	User        identity.User
	Application string // id; for the event
	Journey     string // id; for the event
	Code        string // in its canonical form
	Origin      templates.Origin
}

// UseRecoveryCode uses a recovery code up, writes its event and, if it was one,
// tells the user by mail how many are left. One that was used before is no error
// and nothing else than one that never was: the transaction must commit, or the
// try would not count (T-LOG-30).
func UseRecoveryCode(ctx context.Context, tx *store.Tx, try Recovery) (bool, error) {
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
	return true, tell(ctx, tx, u, templates.RecoveryCodeUsed{Name: u.Name, Left: set.Left, Origin: try.Origin})
}

// tell queues a mail about a change of a user's means of login; without an
// address that anybody can be reached at there is none.
func tell(ctx context.Context, tx *store.Tx, u identity.User, about templates.Mail) error {
	if mail.CheckAddress(u.Mail) != nil {
		return nil
	}
	return mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Mail: about, To: u.Mail, Language: u.Language,
		Expires: tx.Now().Add(24 * time.Hour)})
}

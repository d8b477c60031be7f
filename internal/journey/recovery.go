package journey

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// offersRecoveryCode reports whether a recovery code may be typed: by who has
// some left, once a password was proved, and until then by anybody, or the page
// would tell who has (ENR-4).
//
// A journey definition that names steps and no passcode asks for a phone; a code
// on paper is none. Where policy refuses passcodes, recovery codes still work:
// they are for the day on which the phone that the policy wants is gone.
func (v *View) offersRecoveryCode() bool {
	j := v.Journey
	if !v.Rules.Credentials.RecoveryCodes {
		return false
	}
	if j.Proved() {
		return v.recoveryCodes > 0 && policy.Offers(j.Steps, identity.PasscodeStep)
	}
	return v.Rules.Access.OffersStep(identity.PasscodeStep, j.Application, addressOf(j))
}

// RecoveryCode checks a typed recovery code: counted, checked and recorded in
// one transaction, as a passcode is. One that was used, one that never was and
// one of nobody get the same words (T-LOG-30).
func (e *Engine) RecoveryCode(ctx context.Context, visit Visit, v *View, typed string) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		code := authenticator.CanonicalRecoveryCode(typed)
		if code == "" {
			j.Notice = "error.recovery.format" // a slip of the hand, not a try
			return nil
		}
		if err := hit(ctx, tx, visit, v, "passcode"); err != nil {
			return err
		}
		evaluate, err := e.reserve(ctx, tx, v)
		if err != nil {
			return err
		}
		j.Notice = "error.recovery.wrong"
		if !evaluate {
			err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.RecoveryCodeWrong, User: j.UserID, Application: j.Application,
				Journey: j.ID, Reason: locked(v), Personal: personal(j)})
			if err != nil {
				return err
			}
			return e.lockIfExceeded(ctx, tx, visit, v)
		}
		right, err := authenticator.UseRecoveryCode(ctx, tx, authenticator.Recovery{User: v.User, Application: j.Application, Journey: j.ID,
			Code: code, Origin: templates.Origin{IP: visit.Who.IP, Browser: j.Fingerprint, At: tx.Now()}})
		if err != nil {
			return err
		}
		if !right {
			return e.lockIfExceeded(ctx, tx, visit, v)
		}
		j.Notice, v.kept = "", true
		j.Passed = append(j.Passed, identity.Passed{Validation: identity.SecondFactor, Method: identity.ByRecoveryCode, At: tx.Now()})
		return e.giveBack(ctx, tx, v)
	}, AskRecoveryCode)
}

// locked is why a recovery code was not looked at, for operators alone.
func locked(v *View) string {
	if v.Journey.UserID == "" {
		return "no such user"
	}
	return "user locked"
}

package journey

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// offersRecoveryCode reports whether a recovery code may be typed: by who has
// some left, once a password was proved, and until then by anybody, or the page
// would tell who has (ENR-4).
//
// A journey definition that names steps and no passcode asks for a phone; a code
// on paper is none. Where policy refuses passcodes, recovery codes still work:
// they are for the day on which the phone that the policy wants is gone.
func (f *flow) offersRecoveryCode() bool {
	j := f.Journey
	if !f.Rules.Credentials.RecoveryCodes {
		return false
	}
	if j.Proved() {
		return f.recoveryCodes > 0 && policy.Offers(j.Steps, identity.PasscodeStep)
	}
	return f.Rules.Access.OffersStep(identity.PasscodeStep, j.Application, addressOf(j))
}

// enterRecoveryCode checks a typed recovery code: counted, checked and recorded in
// one transaction, as a passcode is. One that was used, one that never was and one
// of nobody get the same words (T-LOG-30).
func (f *flow) enterRecoveryCode(ctx context.Context, tx *store.Tx, in EnterRecoveryCode) error {
	j := f.Journey
	code := authenticator.CanonicalRecoveryCode(in.Code)
	if code == "" {
		j.Notice = "error.recovery.format" // a slip, not a try
		return nil
	}
	if err := f.allow(ctx, tx, "passcode"); err != nil {
		return err
	}
	evaluate, err := f.reserve(ctx, tx)
	if err != nil {
		return err
	}
	j.Notice = "error.recovery.wrong"
	if !evaluate {
		err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.RecoveryCodeWrong, User: j.UserID, Application: j.Application,
			Journey: j.ID, Reason: f.whyRecoveryNotEvaluated(), Personal: personal(j)})
		if err != nil {
			return err
		}
		return f.lockIfExceeded(ctx, tx)
	}
	right, err := authenticator.UseRecoveryCode(ctx, tx, authenticator.RecoveryAttempt{User: f.User, Application: j.Application, Journey: j.ID,
		Code: code, Origin: f.origin(tx)})
	if err != nil {
		return err
	}
	if !right {
		return f.lockIfExceeded(ctx, tx)
	}
	j.Notice, f.unchanged = "", true
	j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRecoveryCode, At: tx.Now()})
	return f.refund(ctx, tx)
}

// whyRecoveryNotEvaluated is for operators alone.
func (f *flow) whyRecoveryNotEvaluated() string {
	if f.Journey.UserID == "" {
		return "no such user"
	}
	return "user locked"
}

package journey

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

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
	return f.right(ctx, tx, "passcode")
}

// whyRecoveryNotEvaluated is for operators alone.
func (f *flow) whyRecoveryNotEvaluated() string {
	if f.Journey.UserID == "" {
		return "no such user"
	}
	return "user locked"
}

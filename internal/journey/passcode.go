package journey

import (
	"context"
	"strings"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// enterPasscode checks a typed passcode: counted, checked and recorded in one
// transaction. Wrong, reused and locked get the same words.
func (f *flow) enterPasscode(ctx context.Context, tx *store.Tx, in EnterPasscode) error {
	j := f.Journey
	code := otp.Canonical(in.Passcode)
	if could, err := couldBePasscode(ctx, tx, j.Tenant, code); err != nil {
		return err
	} else if !could {
		j.Notice = "error.passcode.format" // a slip, not a try
		return nil
	}
	if err := f.allow(ctx, tx, "passcode"); err != nil {
		return err
	}
	// An approval with a passcode from the outer window is completed by the next
	// one of that authenticator, where no other passcode would count too.
	evaluate, first := false, f.resync(tx.Now())
	if f.Facts.CodesAllowed || first.Authenticator != "" {
		var err error
		if evaluate, err = f.reserve(ctx, tx); err != nil {
			return err
		}
	}
	if !evaluate {
		return f.passcodeNotEvaluated(ctx, tx)
	}
	result, err := authenticator.Check(ctx, tx, authenticator.Attempt{Tenant: j.Tenant, User: j.UserID,
		Application: j.Application, Journey: j.ID, Typed: code, Rules: f.Rules.Lockout, PIN: f.Rules.PIN,
		From: f.origin(tx), ResyncFirst: first, ResyncOnly: !f.Facts.CodesAllowed, NoResync: !j.Resync.Until.IsZero()})
	switch {
	case err != nil:
		return err
	case result.OK:
		j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPasscode,
			Authenticator: result.Authenticator.ID, At: tx.Now()})
		f.unchanged = true
		return f.right(ctx, tx, "passcode")
	case result.Reason == authenticator.OuterWindow: // right, and no try at guessing
		j.Resync, j.Notice, f.unchanged = result.ResyncFirst, "notice.passcode.next", true
		if f.countsPresses(result.ResyncFirst.Authenticator) {
			j.Notice = "notice.passcode.next.counter"
		}
		return f.right(ctx, tx, "passcode")
	case result.Reason == authenticator.PasscodesLocked: // nothing was evaluated
		j.Notice = "error.passcode.wrong"
		if j.Proved() {
			j.Notice = "error.passcode.paused"
		}
		return f.refund(ctx, tx)
	}
	f.missResync(tx.Now())
	j.Notice = "error.passcode.wrong"
	return f.lockIfExceeded(ctx, tx)
}

// passcodeNotEvaluated is what follows a passcode that may not count, with the
// words of a wrong one.
func (f *flow) passcodeNotEvaluated(ctx context.Context, tx *store.Tx) error {
	j := f.Journey
	err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PasscodeWrong, User: j.UserID, Application: j.Application,
		Journey: j.ID, Reason: f.whyNotEvaluated(), Personal: personal(j)})
	if err != nil {
		return err
	}
	j.Notice = "error.passcode.wrong"
	return f.lockIfExceeded(ctx, tx)
}

// couldBePasscode reports whether a passcode could be typed like this: digits, and
// no more of them than a passcode has with the PIN beside it, where anybody of the
// tenant has one that is typed. Whose name it is makes no difference.
func couldBePasscode(ctx context.Context, tx *store.Tx, tenant, code string) (bool, error) {
	switch {
	case len(code) < 6 || len(code) > 8+policy.MaxServerPIN || strings.Trim(code, "0123456789") != "":
		return false, nil
	case len(code) <= 8:
		return true, nil
	}
	return tx.ServerPINs().InUse(ctx, tenant)
}

// whyNotEvaluated is for operators alone.
func (f *flow) whyNotEvaluated() string {
	switch {
	case f.Journey.UserID == "":
		return "no such user"
	case !f.Facts.CodesAllowed:
		return "codes refused"
	}
	return "user locked"
}

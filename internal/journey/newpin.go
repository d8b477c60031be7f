package journey

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// pinDue returns the authenticator that confirmed this login, by whichever way, if
// the PIN it has is one that was handed out and another must be chosen; else the
// zero one (CRED-6).
func (v *View) pinDue(ctx context.Context, r store.Reader) (identity.Authenticator, error) {
	j := v.Journey
	for _, p := range j.Passed {
		if !j.Login() || p.Validation != identity.SecondFactor || p.Method == identity.ByRememberedDevice || p.At.Before(j.StartedAt) {
			continue
		}
		i := slices.IndexFunc(v.Authenticators, func(a identity.Authenticator) bool { return a.ID == p.Authenticator && a.ServerPIN })
		if i < 0 {
			continue
		}
		if due, err := r.ServerPINs().ChangeDue(ctx, j.Tenant, p.Authenticator); err != nil || due {
			return v.Authenticators[i], err
		}
	}
	return identity.Authenticator{}, nil
}

// NewPIN takes the PIN that a person chose in the place of the one that was handed
// out. It is typed with every passcode from then on.
func (e *Engine) NewPIN(ctx context.Context, visit Visit, v *View, typed, again string) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		v.kept = true
		pin := otp.Canonical(typed)
		if pin != otp.Canonical(again) {
			v.Journey.Notice = "error.pin.different"
			return nil
		}
		a, err := v.pinDue(ctx, tx.Reader)
		if err != nil {
			return err
		}
		problem, err := authenticator.ChooseServerPIN(ctx, tx, a, v.Rules.PIN, pin)
		if problem != "" {
			v.Journey.Notice = "error.pin." + string(problem)
		}
		return err
	}, AskNewPIN)
}

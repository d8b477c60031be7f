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
func (f *flow) pinDue(ctx context.Context, r store.Reader) (identity.Authenticator, error) {
	j := f.Journey
	for _, p := range j.Passed {
		if !j.Login() || p.Validation != identity.SecondFactor || p.Method == identity.ByRememberedDevice || p.At.Before(j.StartedAt) {
			continue
		}
		i := slices.IndexFunc(f.Authenticators, func(a identity.Authenticator) bool { return a.ID == p.Authenticator && a.ServerPIN })
		if i < 0 {
			continue
		}
		if due, err := r.ServerPINs().ChangeDue(ctx, j.Tenant, p.Authenticator); err != nil || due {
			return f.Authenticators[i], err
		}
	}
	return identity.Authenticator{}, nil
}

// choosePIN takes the PIN that a person chose in place of the one that was handed
// out. It is typed with every passcode from then on.
func (f *flow) choosePIN(ctx context.Context, tx *store.Tx, in ChoosePIN) error {
	f.unchanged = true
	pin := otp.Canonical(in.PIN)
	if pin != otp.Canonical(in.Again) {
		f.Journey.Notice = "error.pin.different"
		return nil
	}
	a, err := f.pinDue(ctx, tx.Reader)
	if err != nil {
		return err
	}
	problem, err := authenticator.ChooseServerPIN(ctx, tx, a, f.Rules.PIN, pin)
	if problem != "" {
		f.Journey.Notice = "error.pin." + string(problem)
	}
	return err
}

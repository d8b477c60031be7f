package authenticator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// TryPIN counts an attempt at an app authenticator's PIN and checks the proof that its
// app made of the PIN (CRED-7). The last consecutive wrong PIN that its template allows
// locks the authenticator until it is enrolled anew. left is the number of remaining
// attempts. The transaction must be committed whatever the result.
func TryPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, proof []byte) (right bool, left int64, err error) {
	template, err := policy.Read[policy.Template](a.Template)
	if err != nil {
		return false, 0, fmt.Errorf("authenticator: template of %s: %w", a.Serial, err)
	}
	verdict, left, err := tx.PINs().Try(ctx, a.Tenant, a.ID, template.PINAttempts, proof)
	if err != nil || verdict != store.PINWrong {
		return verdict == store.PINRight, left, err
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorPIN, "wrong"); err != nil || left > 0 {
		return false, left, err
	}
	if _, err := tx.Authenticators().Lock(ctx, a.Tenant, a.ID); err != nil {
		return false, 0, err
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorLocked, "wrong PINs"); err != nil {
		return false, 0, err
	}
	return false, 0, notifyLocked(ctx, tx, []identity.Authenticator{a}, templates.LockedByPINs, time.Time{}, templates.Origin{At: tx.Now()})
}

// ChangePIN replaces the PIN that was proved in this transaction.
func ChangePIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, to store.NewPIN) error {
	if err := tx.PINs().Change(ctx, a.Tenant, a.ID, to); err != nil {
		return err
	}
	return recordChange(ctx, tx, a, audit.AuthenticatorPIN, "changed")
}

// pinLocked returns a Conflict if an authenticator is locked because of wrong PINs.
func pinLocked(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	pin, err := tx.PINs().Get(ctx, a.Tenant, a.ID)
	switch {
	case errors.Is(err, identity.NotFound):
		return nil
	case err != nil:
		return err
	case pin.LockedAt.IsZero():
		return nil
	}
	return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.pin",
		Err: fmt.Errorf("authenticator: wrong PINs locked %s, which no unlock opens; revoke it, and have it set up anew", a.Serial)}
}

// SetCredential stores the credential for unlocking an authenticator by biometrics
// instead of its PIN (CRED-8). nil removes it.
func SetCredential(ctx context.Context, tx *store.Tx, a identity.Authenticator, credential []byte) error {
	if err := tx.Biometrics().SetCredential(ctx, a.Tenant, a.ID, credential); err != nil {
		return err
	}
	reason := "biometric on"
	if credential == nil {
		reason = "biometric off"
	}
	return recordChange(ctx, tx, a, audit.AuthenticatorPIN, reason)
}

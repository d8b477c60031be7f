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

// TryPIN counts a try at an app token's PIN and looks at the proof that its app
// made of it (CRED-7). The last wrong one that its template allows in a row
// locks the authenticator until it is set up anew; left says how many there
// still are. The transaction must commit whatever came of it.
func TryPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, proof []byte) (right bool, left int64, err error) {
	template, err := policy.Read[policy.Template](a.Template)
	if err != nil {
		return false, 0, fmt.Errorf("authenticator: template of %s: %w", a.Serial, err)
	}
	verdict, left, err := tx.PINs().Try(ctx, a.Tenant, a.ID, template.PINAttempts, proof)
	if err != nil || verdict != store.PINWrong {
		return verdict == store.PINRight, left, err
	}
	if err := changed(ctx, tx, a, audit.AuthenticatorPIN, "wrong"); err != nil || left > 0 {
		return false, left, err
	}
	if _, err := tx.Authenticators().Lock(ctx, a.Tenant, a.ID); err != nil {
		return false, 0, err
	}
	if err := changed(ctx, tx, a, audit.AuthenticatorLocked, "wrong PINs"); err != nil {
		return false, 0, err
	}
	return false, 0, tellLocked(ctx, tx, []identity.Authenticator{a}, templates.LockedByPINs, time.Time{}, templates.Origin{At: tx.Now()})
}

// ChangePIN puts another PIN in the place of the one that was proved in this
// transaction.
func ChangePIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, to store.NewPIN) error {
	if err := tx.PINs().Change(ctx, a.Tenant, a.ID, to); err != nil {
		return err
	}
	return changed(ctx, tx, a, audit.AuthenticatorPIN, "changed")
}

// pinLocked is a Conflict if wrong PINs locked an authenticator.
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

// SetCredential keeps the credential by which an authenticator is unlocked
// instead of by its PIN (CRED-8); none ends that.
func SetCredential(ctx context.Context, tx *store.Tx, a identity.Authenticator, credential []byte) error {
	if err := tx.Biometrics().SetCredential(ctx, a.Tenant, a.ID, credential); err != nil {
		return err
	}
	reason := "biometric on"
	if credential == nil {
		reason = "biometric off"
	}
	return changed(ctx, tx, a, audit.AuthenticatorPIN, reason)
}

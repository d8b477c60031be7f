package authenticator

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// readServerPIN reads a tenant's policy for PINs that the server checks.
func readServerPIN(ctx context.Context, tx *store.Tx, tenant string) (policy.ServerPIN, error) {
	row, err := tx.Policies().Get(ctx, tenant, policy.KindPIN)
	if err != nil {
		return policy.ServerPIN{}, err
	}
	return policy.Read[policy.ServerPIN](row.Document)
}

// split separates a typed text into an authenticator's PIN and its passcode.
func (try Attempt) split(a identity.Authenticator, code string) (pin, passcode string) {
	if !a.ServerPIN {
		return "", code
	}
	return try.PIN.Split(code, a.Digits)
}

// checkServerPIN reports whether a PIN is right. An authenticator without one needs none.
func checkServerPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, pin string) (bool, error) {
	if !a.ServerPIN {
		return true, nil
	}
	return tx.ServerPINs().Check(ctx, a.Tenant, a.ID, pin)
}

// recordPINUse records that an authenticator's PIN was right, if it has one.
func recordPINUse(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
	if !a.ServerPIN {
		return nil
	}
	return tx.ServerPINs().ResetCount(ctx, a.Tenant, a.ID)
}

// useUpStep uses up a passcode that came with a wrong PIN. Otherwise somebody who saw the
// passcode could try PINs with it. It still counts as wrong, because otherwise somebody
// who has the phone could try any number of PINs.
func useUpStep(ctx context.Context, tx *store.Tx, a identity.Authenticator, step int64) error {
	return tx.Passcodes().SpendStep(ctx, a.Tenant, a.ID, step)
}

// AssignFirstPIN gives an authenticator a random PIN and returns it (CRED-5).
func AssignFirstPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator) (string, error) {
	rules, err := readServerPIN(ctx, tx, a.Tenant)
	if err != nil {
		return "", err
	}
	for {
		pin, err := randomDigits(int(rules.MinLength))
		if err != nil {
			return "", err
		}
		if rules.Problem(pin) == "" {
			return pin, tx.ServerPINs().Set(ctx, a.Tenant, a.ID, pin, true, rules.ChangeFirst)
		}
	}
}

func randomDigits(n int) (string, error) {
	var b strings.Builder
	for range n {
		d, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil {
			return "", fmt.Errorf("authenticator: PIN: %w", err)
		}
		b.WriteByte(byte('0' + d.Int64()))
	}
	return b.String(), nil
}

// ResetServerPIN gives an authenticator a new random PIN and returns it. An operator
// calls it for a user who forgot the PIN.
func ResetServerPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator) (string, error) {
	if !a.ServerPIN || !a.CountsAsEnrolled() {
		return "", &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.nopin",
			Err: fmt.Errorf("%s has no PIN that the server checks, or is not in use: it is %s", a.Serial, a.State())}
	}
	pin, err := AssignFirstPIN(ctx, tx, a)
	if err != nil {
		return "", err
	}
	return pin, recordChange(ctx, tx, a, audit.AuthenticatorPIN, "reset")
}

// ChooseServerPIN replaces the PIN that was just checked by one that the user chose.
// problem says why it is refused; policy.PINUsed means that it is one of the last five.
func ChooseServerPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, rules policy.ServerPIN, pin string) (problem policy.PINProblem, err error) {
	if problem := rules.Problem(pin); problem != "" {
		return problem, nil
	}
	had, err := tx.ServerPINs().HadBefore(ctx, a.Tenant, a.ID, pin)
	if err != nil || had {
		return policy.PINUsed, err
	}
	if err := tx.ServerPINs().Set(ctx, a.Tenant, a.ID, pin, false, false); err != nil {
		return "", err
	}
	return "", recordChange(ctx, tx, a, audit.AuthenticatorPIN, "changed")
}

// ChangeServerPIN replaces an authenticator's PIN by one that its owner chose outside a
// login, where a fresh second factor was proved. A PIN that is refused is an Invalid
// error. The owner is notified by mail.
func ChangeServerPIN(ctx context.Context, tx *store.Tx, u identity.User, a identity.Authenticator, pin string, from templates.Origin) error {
	if !a.ServerPIN || a.State() != identity.Active {
		return &identity.Error{Kind: identity.Conflict, Key: "error.authenticator.nopin",
			Err: fmt.Errorf("%s has no PIN that the server checks, or is not in use: it is %s", a.Serial, a.State())}
	}
	rules, err := readServerPIN(ctx, tx, a.Tenant)
	if err != nil {
		return err
	}
	problem, err := ChooseServerPIN(ctx, tx, a, rules, pin)
	if err != nil {
		return err
	}
	if problem != "" {
		return &identity.Error{Kind: identity.Invalid, Key: "error.pin." + string(problem)}
	}
	return notifyChange(ctx, tx, u, a, templates.PINChanged, from)
}

// TryServerPIN checks the PIN that came with an approval (PUSH-13). A wrong PIN counts
// against the authenticator, which locks after as many as of wrong passcodes. left is
// the number of remaining attempts. The transaction must be committed whatever the
// result.
func TryServerPIN(ctx context.Context, tx *store.Tx, a identity.Authenticator, pin string) (right bool, left int64, err error) {
	if !a.ServerPIN {
		return true, 0, nil
	}
	rules, err := lockout(ctx, tx, a.Tenant)
	if err != nil {
		return false, 0, err
	}
	right, left, err = tx.ServerPINs().Try(ctx, a.Tenant, a.ID, rules.MaxWrongPasscodes, pin)
	if err != nil || right {
		return right, left, err
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorPIN, "wrong"); err != nil || left > 0 {
		return false, left, err
	}
	if locked, err := tx.Authenticators().Lock(ctx, a.Tenant, a.ID); err != nil || !locked {
		return false, 0, err
	}
	if err := recordChange(ctx, tx, a, audit.AuthenticatorLocked, "wrong PINs"); err != nil {
		return false, 0, err
	}
	return false, 0, notifyLocked(ctx, tx, []identity.Authenticator{a}, templates.LockedByPasscodes, time.Time{}, templates.Origin{At: tx.Now()})
}

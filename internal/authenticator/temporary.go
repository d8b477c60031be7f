package authenticator

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Limits of the lifetime of a temporary passcode.
const (
	MinTemporaryLifetime = time.Minute
	MaxTemporaryLifetime = 24 * time.Hour
)

// temporaryDigits is the maximum length of passcodes, which every page accepts.
const temporaryDigits = 8

// MakeTemporary makes a passcode for a user who cannot make one, which replaces an
// earlier one, and returns it as it is typed. It is never returned again. The user can
// type it wherever a passcode is accepted, until life has passed: once, or any number of
// times if many is set.
//
// The policy applies to it too: if passcodes are refused to the user (PUSH-1), no page
// asks for one, and MakeTemporary returns a Conflict that says so.
func MakeTemporary(ctx context.Context, tx *store.Tx, u identity.User, life time.Duration, many bool) (string, store.TemporaryPasscode, error) {
	t := store.TemporaryPasscode{Tenant: u.Tenant, User: u.ID, Many: many, MadeAt: tx.Now(), ExpiresAt: tx.Now().Add(life)}
	if life < MinTemporaryLifetime || life > MaxTemporaryLifetime {
		return "", t, &identity.Error{Kind: identity.Invalid, Key: "error.invalid",
			Err: fmt.Errorf("a temporary passcode stands between %v and %v, not %v", MinTemporaryLifetime, MaxTemporaryLifetime, life)}
	}
	if err := checkCodesAllowed(ctx, tx, u); err != nil {
		return "", t, err
	}
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return "", t, fmt.Errorf("authenticator: %w", err)
	}
	code := fmt.Sprintf("%0*d", temporaryDigits, n)
	if err := tx.TemporaryPasscodes().Set(ctx, t, code); err != nil {
		return "", t, err
	}
	tx.Notify(store.UserTopic(u.ID))
	err = tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.TemporaryMade, User: u.ID,
		Data: map[string]string{"until": t.ExpiresAt.UTC().Format(time.RFC3339), "uses": usesText(many)}})
	if err != nil {
		return "", t, err
	}
	return code, t, queueMail(ctx, tx, u,
		templates.TemporaryPasscode{Name: u.Name, Until: t.ExpiresAt, Many: many, Origin: templates.Origin{At: tx.Now()}})
}

// usesText says for an event how often a temporary passcode works.
func usesText(many bool) string {
	if many {
		return "many"
	}
	return "once"
}

// checkCodesAllowed returns a Conflict if the push policy refuses passcodes to a user.
func checkCodesAllowed(ctx context.Context, tx *store.Tx, u identity.User) error {
	row, err := tx.Policies().Get(ctx, u.Tenant, policy.KindPush)
	if err != nil {
		return err
	}
	rules, err := policy.Read[policy.Push](row.Document)
	if err != nil {
		return fmt.Errorf("authenticator: %w", err)
	}
	groups, err := tx.Groups().IDsOfUser(ctx, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	if !rules.Effective(groups).CodesAllowed {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict",
			Err: fmt.Errorf("policy refuses passcodes to %s, a temporary one too; put the user into a group whose push policy allows them", u.Name)}
	}
	return nil
}

// RevokeTemporary ends a user's temporary passcode. It returns a Conflict if there is
// none.
func RevokeTemporary(ctx context.Context, tx *store.Tx, u identity.User) error {
	done, err := tx.TemporaryPasscodes().End(ctx, u.Tenant, u.ID)
	if err == nil && !done {
		err = &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf("%s has no temporary passcode", u.Name)}
	}
	if err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.TemporaryEnded, User: u.ID, Reason: "revoked"})
}

// useTemporary uses a user's temporary passcode. It is called after all authenticators
// were tried, so that a passcode of one of them is never taken for it.
func useTemporary(ctx context.Context, tx *store.Tx, try Attempt, code string) (Result, error) {
	if len(code) != temporaryDigits {
		return Result{Reason: Wrong}, nil
	}
	used, err := tx.TemporaryPasscodes().Use(ctx, try.Tenant, try.User, code)
	if err != nil || !used {
		return Result{Reason: Wrong}, err
	}
	return Result{OK: true, Temporary: true}, nil
}

// countTemporary counts a wrong passcode against a temporary one, as against every
// authenticator, and ends it at the same limit.
func countTemporary(ctx context.Context, tx *store.Tx, try Attempt) error {
	ended, err := tx.TemporaryPasscodes().CountInvalid(ctx, try.Tenant, try.User, try.Rules.MaxWrongPasscodes)
	if err != nil || !ended {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: try.Tenant, Kind: audit.TemporaryEnded, User: try.User, Application: try.Application,
		Journey: try.Journey, Reason: "wrong passcodes"})
}

package push

import (
	"context"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Capability returns the capability an app must declare to do a presence check.
func Capability(p policy.Presence) string { return p.Capability() }

// Reaches reports whether a push with a presence check can be answered on an
// authenticator now: it is active, its push is enabled and not locked, its
// platform gets push (PUSH-6), and its app can do the check (PUSH-22).
func Reaches(a identity.Authenticator, platforms policy.Platforms, presence policy.Presence, now time.Time) bool {
	return allowed(a, platforms, now) && slices.Contains(a.Capabilities, Capability(presence))
}

// TooOld reports whether an authenticator could answer a push if its app could do
// the presence check (PUSH-22). Newer versions of Latchkey's own apps can.
func TooOld(a identity.Authenticator, platforms policy.Platforms, presence policy.Presence, now time.Time) bool {
	return a.Protocol != identity.PrivacyIDEAPush && allowed(a, platforms, now) && !slices.Contains(a.Capabilities, Capability(presence))
}

// allowed is like Reaches but does not check the app's capabilities.
func allowed(a identity.Authenticator, platforms policy.Platforms, now time.Time) bool {
	return a.Kind == identity.AppToken && a.State() == identity.Active && !cannotVerifyUser(a) &&
		a.Push(now) == identity.PushEnabled && platforms.PushOn(a.Platform)
}

// cannotVerifyUser reports whether an authenticator's template requires its app to
// verify the user, but the app cannot prove that it did (PUSH-24). A privacyIDEA
// app sends a signature without a passcode. Latchkey's own apps cannot make the
// passcode without the PIN. A template that cannot be read may require it.
func cannotVerifyUser(a identity.Authenticator) bool {
	if a.Protocol != identity.PrivacyIDEAPush {
		return false
	}
	template, err := policy.Read[policy.Template](a.Template)
	return err != nil || template.VerifiesUser()
}

// stillAllowed reports whether an approval by an authenticator may count now: the
// user is enabled, the authenticator is active and policy allows push, according
// to the rows as they are in this transaction (PUSH-26).
func stillAllowed(ctx context.Context, tx *store.Tx, user string, a identity.Authenticator) (bool, error) {
	u, err := tx.Users().Get(ctx, a.Tenant, user)
	if err != nil {
		return false, err
	}
	platforms, err := store.ReadPolicy[policy.Platforms](ctx, tx.Reader, a.Tenant)
	if err != nil {
		return false, err
	}
	rules, err := store.ReadPolicy[policy.Push](ctx, tx.Reader, a.Tenant)
	if err != nil {
		return false, err
	}
	groups, err := tx.Groups().IDsOfUser(ctx, a.Tenant, user)
	if err != nil {
		return false, err
	}
	return u.Enabled() && rules.Effective(groups).Enabled && allowed(a, platforms, tx.Now()), nil
}

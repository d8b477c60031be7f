package policy

import (
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Reaches reports whether a push with a presence check can be answered on an
// authenticator now: it is active, its push is enabled and not locked, its
// platform gets push (PUSH-6), and its app can do the check (PUSH-22).
func Reaches(a identity.Authenticator, platforms Platforms, presence Presence, now time.Time) bool {
	return HasPush(a, platforms, now) && slices.Contains(a.Capabilities, presence.Capability())
}

// TooOld reports whether an authenticator could answer a push if its app could do
// the presence check (PUSH-22). Newer versions of Latchkey's own apps can.
func TooOld(a identity.Authenticator, platforms Platforms, presence Presence, now time.Time) bool {
	return a.Protocol != identity.PrivacyIDEAPush && HasPush(a, platforms, now) && !slices.Contains(a.Capabilities, presence.Capability())
}

// HasPush is like Reaches but does not check the app's capabilities.
func HasPush(a identity.Authenticator, platforms Platforms, now time.Time) bool {
	return a.Kind == identity.AppToken && a.State() == identity.Active && VerifiesUser(a) &&
		a.Push(now) == identity.PushEnabled && platforms.PushOn(a.Platform)
}

// VerifiesUser reports whether an authenticator's app proves that it verified the user
// as its template asks (PUSH-24). A privacyIDEA app sends a signature without a
// passcode, and proves nothing. Latchkey's own apps cannot make the passcode without
// the PIN. A template that cannot be read may ask for it.
func VerifiesUser(a identity.Authenticator) bool {
	if a.Protocol != identity.PrivacyIDEAPush {
		return true
	}
	template, err := Read[Template](a.Template)
	return err == nil && !template.VerifiesUser()
}

package push

import (
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// UnreachableReason returns why a push with a presence check cannot be answered on
// an authenticator now, as a text for operators, or "" if it can. It checks in the
// same order as [policy.Reaches] and returns the first reason.
func UnreachableReason(a identity.Authenticator, platforms policy.Platforms, presence policy.Presence, now time.Time) string {
	state := a.Push(now)
	switch {
	case a.Kind != identity.AppToken:
		return "no authenticator app"
	case a.State() != identity.Active:
		return "it is " + string(a.State())
	case state == identity.PushLocked:
		return fmt.Sprintf("%s until %s", state, a.PushLocked.UTC().Format(time.RFC3339))
	case state != identity.PushEnabled:
		return string(state)
	case !platforms.PushOn(a.Platform):
		return fmt.Sprintf("no push on %s", a.Platform)
	case !policy.VerifiesUser(a):
		return "its template asks for a PIN or biometrics, of which its app tells nothing"
	case policy.Reaches(a, platforms, presence, now):
		return ""
	}
	if least := MinVersion(a.AppVersion, presence.Capability()); least != "" {
		return fmt.Sprintf("%s is too old for the check %s: least version %s", a.AppVersion, presence, least)
	}
	return fmt.Sprintf("%s cannot do the check %s", a.AppVersion, presence)
}

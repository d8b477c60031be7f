package push

import (
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// Obstacle says, in words for operators, why a push with a presence check would
// not reach an authenticator now; empty where it would. It asks in the order in
// which Reaches does, and names the first thing in the way.
func Obstacle(a identity.Authenticator, platforms policy.Platforms, presence policy.Presence, now time.Time) string {
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
	case anyHand(a):
		return "its template asks for a PIN or biometrics, of which its app tells nothing"
	case Reaches(a, platforms, presence, now):
		return ""
	}
	if least := Least(a.AppVersion, presence.Capability()); least != "" {
		return fmt.Sprintf("%s is too old for the check %s: least version %s", a.AppVersion, presence, least)
	}
	return fmt.Sprintf("%s cannot do the check %s", a.AppVersion, presence)
}

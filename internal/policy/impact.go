package policy

import (
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A UserClass is a set of users with equal values of everything that decides
// whether a push policy locks them out.
type UserClass struct {
	Groups           []string // ids
	Apps             []App    // active, with push enabled
	HasAuthenticator bool     // of any kind
	Users            int64    // number of users in the class
}

// An App is an authenticator app that could answer a push.
type App struct {
	Platform     identity.Platform `json:"platform"`
	Capabilities []string          `json:"capabilities"`
}

// LockedOut counts the users to whom a policy refuses passcodes and who have no
// authenticator that could answer a push (PUSH-5).
type LockedOut struct {
	Users      int64 `json:"users"`
	Unenrolled int64 `json:"unenrolled"` // those of them who have no authenticator and may still enrol one
}

// CountLockedOut counts the users whom a push policy locks out, given the
// platforms. An app that cannot do the required presence check does not count
// (PUSH-9a).
func (p Push) CountLockedOut(classes []UserClass, platforms Platforms) (n LockedOut) {
	for _, c := range classes {
		if p.LockedOutReason(c, platforms) == NotLockedOut {
			continue
		}
		n.Users += c.Users
		if !c.HasAuthenticator {
			n.Unenrolled += c.Users
		}
	}
	return n
}

// Reasons returned by LockedOutReason.
const (
	NotLockedOut    Reason = ""
	NoAuthenticator Reason = "has no authenticator"
	NoPushApp       Reason = "has no app with push switched on"
	NoPushPlatform  Reason = "gets no push on the platform of the app"
	NoPresenceCheck Reason = "has no app that can do the presence check"
)

// LockedOutReason returns why a push policy locks out the users of a class, given
// the platforms, or NotLockedOut. If several apps fail for different reasons, it
// returns the one that is easiest to fix.
func (p Push) LockedOutReason(c UserClass, platforms Platforms) Reason {
	s := p.Effective(c.Groups).PushSettings
	if s.CodesAllowed { // always true while push is off
		return NotLockedOut
	}
	onPlatform := func(a App) bool { return platforms.PushOn(a.Platform) }
	switch {
	case slices.ContainsFunc(c.Apps, func(a App) bool {
		return onPlatform(a) && slices.Contains(a.Capabilities, s.Presence.Capability())
	}):
		return NotLockedOut
	case slices.ContainsFunc(c.Apps, onPlatform):
		return NoPresenceCheck
	case len(c.Apps) > 0:
		return NoPushPlatform
	case c.HasAuthenticator:
		return NoPushApp
	}
	return NoAuthenticator
}

package policy

import (
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Class is users who are alike in all that decides whether policy leaves them
// a way in.
type Class struct {
	Groups []string // ids
	Apps   []App    // active, with push switched on
	Holds  bool     // any authenticator
	Users  int64    // how many they are
}

// An App is an authenticator app that could answer a push.
type App struct {
	Platform     identity.Platform `json:"platform"`
	Capabilities []string          `json:"capabilities"`
}

// A NoWayIn counts the users for whom policy refuses codes and who have no
// authenticator that could answer a push (PUSH-5).
type NoWayIn struct {
	Users      int64 `json:"users"`
	Unenrolled int64 `json:"unenrolled"` // of these, those who have no authenticator at all, and may yet enrol one
}

// Strands counts whom a push policy leaves without a way in on these platforms.
// An app that cannot do the presence check in force is as good as none
// (PUSH-9a).
func (p Push) Strands(classes []Class, platforms Platforms) (n NoWayIn) {
	for _, c := range classes {
		if p.Obstacle(c, platforms) == NoObstacle {
			continue
		}
		n.Users += c.Users
		if !c.Holds {
			n.Unenrolled += c.Users
		}
	}
	return n
}

// An Obstacle is why a push policy leaves users without a way in, in words for
// operators.
type Obstacle string

const (
	NoObstacle      Obstacle = ""
	NoAuthenticator Obstacle = "has no authenticator"
	NoPushApp       Obstacle = "has no app with push switched on"
	NoPushPlatform  Obstacle = "gets no push on the platform of the app"
	NoPresenceCheck Obstacle = "has no app that can do the presence check"
)

// Obstacle says what stands between the users of a class and a login on these
// platforms: the least thing that would have to change for the nearest of their
// apps.
func (p Push) Obstacle(c Class, platforms Platforms) Obstacle {
	s := p.Effective(c.Groups).PushSettings
	if s.CodesAllowed { // as they are wherever push is off
		return NoObstacle
	}
	onPlatform := func(a App) bool { return platforms.PushOn(a.Platform) }
	switch {
	case slices.ContainsFunc(c.Apps, func(a App) bool {
		return onPlatform(a) && slices.Contains(a.Capabilities, s.Presence.Capability())
	}):
		return NoObstacle
	case slices.ContainsFunc(c.Apps, onPlatform):
		return NoPresenceCheck
	case len(c.Apps) > 0:
		return NoPushPlatform
	case c.Holds:
		return NoPushApp
	}
	return NoAuthenticator
}

package policy

import (
	"slices"

	"github.com/latchkey-id/latchkey/identity"
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
		s := p.Effective(c.Groups).PushSettings
		if s.CodesAllowed || slices.ContainsFunc(c.Apps, func(a App) bool {
			return s.Enabled && platforms.PushOn(a.Platform) && slices.Contains(a.Capabilities, s.Presence.Capability())
		}) {
			continue
		}
		n.Users += c.Users
		if !c.Holds {
			n.Unenrolled += c.Users
		}
	}
	return n
}

package policy

import (
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Target says of which users self-provisioning is offered to (ENR-15).
type Target string

const (
	TargetAll    Target = "all"
	TargetOnly   Target = "only"   // members of the groups
	TargetExcept Target = "except" // all but members of the groups
	TargetNone   Target = "none"
)

// SelfProvisioning says who may enrol a first authenticator alone.
type SelfProvisioning struct {
	Target       Target   `json:"target"`
	Groups       []string `json:"groups,omitempty"` // ids; kept, and without effect, with all and none
	RequireLeave bool     `json:"require_leave"`    // who ever had one needs an operator's leave
	ThirdParty   bool     `json:"third_party"`      // another vendor's authenticator app may be enrolled too (ENR-12)
}

// DefaultSelfProvisioning is that of a new tenant: everybody, once, with an app
// whose key stays on its device.
func DefaultSelfProvisioning() SelfProvisioning {
	return SelfProvisioning{Target: TargetAll, RequireLeave: true}
}

// Kind returns KindSelfProvisioning.
func (SelfProvisioning) Kind() Kind { return KindSelfProvisioning }

// Validate reports all that is wrong.
func (s SelfProvisioning) Validate() error {
	var ps Problems
	oneOf(&ps, "target", s.Target, TargetAll, TargetOnly, TargetExcept, TargetNone)
	if (s.Target == TargetOnly || s.Target == TargetExcept) && len(s.Groups) == 0 {
		ps.add("groups", "groups")
	}
	ps.names("groups", s.Groups)
	return ps.err()
}

// Targets reports whether a user in these groups is a target user. Only and
// except without a group to go by target nobody.
func (s SelfProvisioning) Targets(groups []string) bool {
	listed := slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups, g) })
	switch s.Target {
	case TargetAll:
		return true
	case TargetOnly:
		return listed
	case TargetExcept:
		return len(s.Groups) > 0 && !listed
	}
	return false
}

// A Candidate is what is known about somebody in a journey when the question
// is whether self-provisioning is open to them.
type Candidate struct {
	Known          bool // the name is an enabled user's
	Operator       bool
	Groups         []string
	SecondFactor   bool // the journey wants one
	Authenticators []identity.Authenticator
	HalfMade       []string // ids of pending authenticators of the user's own self-provisioning
	EverEnrolled   bool     // had an active authenticator at any time
	Leave          bool     // an operator gave leave, and it has not been used up
	Platform       bool     // at least one platform is allowed, or another vendor's app
}

// Reasons of MayEnroll.
const (
	MayEnrollAlone     Reason = "may enrol"
	UserUnknown        Reason = "user unknown"
	NoSecondFactor     Reason = "no one-time password wanted"
	HasAuthenticator   Reason = "has an authenticator"
	OperatorNeedsLeave Reason = "an operator needs another operator's leave"
	NeedsLeave         Reason = "had an authenticator and needs an operator's leave"
	NotTargetUser      Reason = "not a target user"
	NoPlatformAllowed  Reason = "no platform allowed"
)

// MayEnroll decides whether self-provisioning is open to somebody (ENR-1).
//
// It is the weakest door of the house: a password and a mailbox, or the mailbox
// alone. So whatever could be made to happen to an authenticator from outside,
// such as a lock, must not open it, and an operator never walks through it
// without another one's leave.
func (s SelfProvisioning) MayEnroll(c Candidate) (bool, Reason) {
	switch {
	case !c.Known:
		return false, UserUnknown
	case !c.SecondFactor:
		return false, NoSecondFactor
	case Counting(c.Authenticators, c.HalfMade) > 0:
		return false, HasAuthenticator
	case c.Operator && !c.Leave:
		return false, OperatorNeedsLeave
	case c.EverEnrolled && s.RequireLeave && !c.Leave:
		return false, NeedsLeave
	case !s.Targets(c.Groups):
		return false, NotTargetUser
	case !c.Platform:
		return false, NoPlatformAllowed
	}
	return true, MayEnrollAlone
}

// Counting returns how many of a user's authenticators count as having one for
// one-time passwords. Locked and suspended ones do; passkeys and recovery codes
// do not, nor do those inactive or revoked, nor the pending ones whose ids are
// halfMade: what a user began alone and may begin again.
func Counting(authenticators []identity.Authenticator, halfMade []string) int {
	n := 0
	for _, a := range authenticators {
		switch a.Kind {
		case identity.Passkey, identity.RecoveryCode:
			continue
		}
		switch a.State() {
		case identity.Revoked, identity.Inactive:
			continue
		case identity.Pending:
			if slices.Contains(halfMade, a.ID) {
				continue
			}
		}
		n++
	}
	return n
}

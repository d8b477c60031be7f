package policy

import (
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Target says which users may use self-provisioning (ENR-15).
type Target string

const (
	TargetAll    Target = "all"
	TargetOnly   Target = "only"   // members of the groups
	TargetExcept Target = "except" // all but members of the groups
	TargetNone   Target = "none"
)

// SelfProvisioning says who may enrol a first authenticator without an operator.
type SelfProvisioning struct {
	Target        Target   `json:"target"`
	Groups        []string `json:"groups,omitempty"` // ids; kept but without effect with TargetAll and TargetNone
	RequirePermit bool     `json:"require_leave"`    // a user who ever had an authenticator needs an operator's permit
	ThirdParty    bool     `json:"third_party"`      // other vendors' authenticator apps may be enrolled too (ENR-12)
}

// DefaultSelfProvisioning allows everybody to enrol once, with an app that keeps
// its key on the device.
func DefaultSelfProvisioning() SelfProvisioning {
	return SelfProvisioning{Target: TargetAll, RequirePermit: true}
}

// Kind returns KindSelfProvisioning.
func (SelfProvisioning) Kind() Kind { return KindSelfProvisioning }

// Validate reports everything that is wrong.
func (s SelfProvisioning) Validate() error {
	var ps Problems
	oneOf(&ps, "target", s.Target, TargetAll, TargetOnly, TargetExcept, TargetNone)
	if (s.Target == TargetOnly || s.Target == TargetExcept) && len(s.Groups) == 0 {
		ps.add("groups", "groups")
	}
	ps.checkIDs("groups", "group", s.Groups)
	return ps.err()
}

// Targets reports whether a user in these groups is a target user. TargetOnly and
// TargetExcept without groups target nobody.
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

// A Candidate is what is known about the user of a journey when it is decided
// whether self-provisioning is open to them.
type Candidate struct {
	Known           bool // the name belongs to an enabled user
	Operator        bool
	Groups          []string
	SecondFactor    bool // the journey requires one
	Authenticators  []identity.Authenticator
	OwnPending      []string // ids of pending authenticators from the user's own self-provisioning
	EverEnrolled    bool     // had an active authenticator at any time
	Permit          bool     // an operator gave an enrolment permit that is not used up
	PlatformAllowed bool     // at least one platform, or another vendor's app, is allowed
}

// Reasons returned by MayEnroll.
const (
	MayEnrollAlone      Reason = "may enrol"
	UserUnknown         Reason = "user unknown"
	NoSecondFactor      Reason = "no one-time password wanted"
	HasAuthenticator    Reason = "has an authenticator"
	OperatorNeedsPermit Reason = "an operator needs another operator's leave"
	NeedsPermit         Reason = "had an authenticator and needs an operator's leave"
	NotTargetUser       Reason = "not a target user"
	NoPlatformAllowed   Reason = "no platform allowed"
)

// MayEnroll decides whether self-provisioning is open to a user (ENR-1).
//
// Self-provisioning is the weakest way to get an authenticator: it requires a
// password and a mailbox, or only the mailbox. Nothing that an attacker can do to
// an authenticator from outside, such as locking it, may therefore open it. An
// operator always needs another operator's permit.
func (s SelfProvisioning) MayEnroll(c Candidate) (bool, Reason) {
	switch {
	case !c.Known:
		return false, UserUnknown
	case !c.SecondFactor:
		return false, NoSecondFactor
	case CountEnrolled(c.Authenticators, c.OwnPending) > 0:
		return false, HasAuthenticator
	case c.Operator && !c.Permit:
		return false, OperatorNeedsPermit
	case c.EverEnrolled && s.RequirePermit && !c.Permit:
		return false, NeedsPermit
	case !s.Targets(c.Groups):
		return false, NotTargetUser
	case !c.PlatformAllowed:
		return false, NoPlatformAllowed
	}
	return true, MayEnrollAlone
}

// CountEnrolled returns how many authenticators count when it is decided whether
// a user has one for the second factor. Locked and suspended ones count.
// Passkeys, recovery codes, inactive and revoked ones do not. Nor do the pending
// ones listed in ownPending, which the user began to enrol and may begin again.
func CountEnrolled(authenticators []identity.Authenticator, halfMade []string) int {
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

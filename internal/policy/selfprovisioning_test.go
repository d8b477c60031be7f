package policy

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func TestENR15_TargetUsers(t *testing.T) {
	listed := []string{"grp_a", "grp_b"}
	for _, tt := range []struct {
		target                     Target
		member, outsider, ofNoneAt bool
	}{
		{TargetAll, true, true, true},
		{TargetOnly, true, false, false},
		{TargetExcept, false, true, true},
		{TargetNone, false, false, false},
		{"", false, false, false},
	} {
		s := SelfProvisioning{Target: tt.target, Groups: listed}
		if got := s.Targets([]string{"grp_x", "grp_b"}); got != tt.member {
			t.Errorf("%s: a member: %t, want %t", tt.target, got, tt.member)
		}
		if got := s.Targets([]string{"grp_x"}); got != tt.outsider {
			t.Errorf("%s: another group's: %t, want %t", tt.target, got, tt.outsider)
		}
		if got := s.Targets(nil); got != tt.ofNoneAt {
			t.Errorf("%s: of no group: %t, want %t", tt.target, got, tt.ofNoneAt)
		}
	}
	for _, target := range []Target{TargetOnly, TargetExcept} {
		s := SelfProvisioning{Target: target}
		if s.Validate() == nil {
			t.Errorf("%s without groups was accepted", target)
		}
		if s.Targets(nil) || s.Targets(listed) {
			t.Errorf("%s without groups targets somebody", target)
		}
	}
}

func TestENR1_MayEnroll(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := func(state identity.State, kind identity.AuthenticatorKind) []identity.Authenticator {
		a := identity.Authenticator{ID: "aut_1", Kind: kind, ActivatedAt: began}
		switch state {
		case identity.Pending:
			a.ActivatedAt = time.Time{}
		case identity.Locked:
			a.LockedAt = began
		case identity.Suspended:
			a.SuspendedAt = began
		case identity.Inactive:
			a.InactiveAt = began
		case identity.Revoked:
			a.RevokedAt = began
		}
		return []identity.Authenticator{a}
	}
	all := DefaultSelfProvisioning()
	open := SelfProvisioning{Target: TargetAll}
	some := SelfProvisioning{Target: TargetOnly, Groups: []string{"grp_a"}, RequirePermit: true}

	// fresh is a user to whom self-provisioning is open; each row changes one thing.
	fresh := func(change func(*Candidate)) Candidate {
		c := Candidate{Known: true, SecondFactor: true, PlatformAllowed: true}
		if change != nil {
			change(&c)
		}
		return c
	}
	has := func(state identity.State, kind identity.AuthenticatorKind) Candidate {
		return fresh(func(c *Candidate) { c.Authenticators = in(state, kind) })
	}
	for _, tt := range []struct {
		name   string
		policy SelfProvisioning
		c      Candidate
		want   Reason
	}{
		{"first login", all, fresh(nil), MayEnrollAlone},
		{"nobody", all, fresh(func(c *Candidate) { c.Known = false }), UserUnknown},
		{"password alone wanted", all, fresh(func(c *Candidate) { c.SecondFactor = false }), NoSecondFactor},
		{"no platform", all, fresh(func(c *Candidate) { c.PlatformAllowed = false }), NoPlatformAllowed},

		{"has one", all, has(identity.Active, identity.AppToken), HasAuthenticator},
		{"has a fob", all, has(identity.Active, identity.HOTP), HasAuthenticator},
		{"a lock opens no way in", all, has(identity.Locked, identity.AppToken), HasAuthenticator},
		{"nor does a suspension", all, has(identity.Suspended, identity.AppToken), HasAuthenticator},
		{"somebody else's pending one", all, has(identity.Pending, identity.AppToken), HasAuthenticator},
		{"the own half-made one", all, fresh(func(c *Candidate) {
			c.Authenticators, c.OwnPending = in(identity.Pending, identity.AppToken), []string{"aut_1"}
		}), MayEnrollAlone},
		{"half-made once, active now", all, fresh(func(c *Candidate) {
			c.Authenticators, c.OwnPending = in(identity.Active, identity.AppToken), []string{"aut_1"}
		}), HasAuthenticator},
		{"a passkey alone", all, has(identity.Active, identity.Passkey), MayEnrollAlone},
		{"recovery codes alone", all, has(identity.Active, identity.RecoveryCode), MayEnrollAlone},
		{"a locked one, with leave", all, fresh(func(c *Candidate) {
			c.Authenticators, c.EverEnrolled, c.Permit = in(identity.Locked, identity.AppToken), true, true
		}), HasAuthenticator},

		{"revoked", all, fresh(func(c *Candidate) {
			c.Authenticators, c.EverEnrolled = in(identity.Revoked, identity.AppToken), true
		}), NeedsPermit},
		{"expired", all, fresh(func(c *Candidate) {
			c.Authenticators, c.EverEnrolled = in(identity.Inactive, identity.AppToken), true
		}), NeedsPermit},
		{"lost, with leave", all, fresh(func(c *Candidate) { c.EverEnrolled, c.Permit = true, true }), MayEnrollAlone},
		{"lost, no leave needed", open, fresh(func(c *Candidate) { c.EverEnrolled = true }), MayEnrollAlone},

		{"operator", all, fresh(func(c *Candidate) { c.Operator = true }), OperatorNeedsPermit},
		{"operator, where nobody needs leave", open, fresh(func(c *Candidate) { c.Operator = true }), OperatorNeedsPermit},
		{"operator, with leave", all, fresh(func(c *Candidate) { c.Operator, c.Permit = true, true }), MayEnrollAlone},

		{"target user", some, fresh(func(c *Candidate) { c.Groups = []string{"grp_a"} }), MayEnrollAlone},
		{"no target user", some, fresh(func(c *Candidate) { c.Groups = []string{"grp_b"} }), NotTargetUser},
		{"no target user, with leave", some, fresh(func(c *Candidate) { c.Permit = true }), NotTargetUser},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ok, why := tt.policy.MayEnroll(tt.c)
			if why != tt.want || ok != (tt.want == MayEnrollAlone) {
				t.Errorf("got %t, %q, want %q", ok, why, tt.want)
			}
		})
	}
}

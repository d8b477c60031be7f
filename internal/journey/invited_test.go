package journey

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// In a journey by an enrolment mail: the order in which things are asked and
// refused, and that nothing but the used invitation ends it well.
func TestENR19_NextOfAnInvitation(t *testing.T) {
	type J = identity.Journey
	coded := identity.Code{PassedAt: start}
	fine := Facts{Platform: true, Codes: true, Push: true, MayEnroll: true}
	with := func(change func(*Facts)) Facts {
		f := fine
		change(&f)
		return f
	}
	for _, tt := range []struct {
		name  string
		j     J
		facts Facts
		want  Step
	}{
		{"begun", J{Enroll: identity.EnrollPlatform}, fine, EnrollPlatform},
		{"a password first", J{Enroll: identity.EnrollPlatform, Required: pwOnly}, fine, AskPassword},
		{"and before what was begun", J{Enroll: identity.EnrollScan, Required: pwOnly}, fine, AskPassword},
		{"given", J{Enroll: identity.EnrollPlatform, Required: pwOnly, Passed: pwPassed}, fine, EnrollPlatform},
		{"scan", J{Enroll: identity.EnrollScan}, fine, EnrollScan},
		{"another vendor's app", J{Enroll: identity.EnrollThirdParty}, fine, EnrollThirdParty},
		{"used by it", J{Enroll: identity.EnrollScan}, with(func(f *Facts) { f.Enrolled, f.Assigned = true, 1 }), Done},
		{"an authenticator, but not by it", J{Enroll: identity.EnrollScan}, with(func(f *Facts) { f.Assigned = 1 }), Refused},
		{"all that a login takes, and no authenticator by it", J{Required: both, Passed: all, Enroll: identity.EnrollPlatform}, fine, EnrollPlatform},
		{"ended elsewhere, before the password", J{Enroll: identity.EnrollPlatform, Required: pwOnly}, with(func(f *Facts) { f.Invitation = ReasonInvitationRevoked }), Refused},
		{"disabled", J{Enroll: identity.EnrollPlatform}, with(func(f *Facts) { f.Disabled = true }), Refused},
		{"no platform", J{Enroll: identity.EnrollPlatform}, with(func(f *Facts) { f.Platform = false }), Refused},
		{"locked, the password not given", J{Enroll: identity.EnrollPlatform, Required: pwOnly}, with(func(f *Facts) { f.LockedUntil = later.Add(time.Hour) }), AskPassword},
		{"locked, the password given", J{Required: pwOnly, Passed: pwPassed}, with(func(f *Facts) { f.LockedUntil = later.Add(time.Hour) }), Locked},
		{"locked, no password asked", J{Enroll: identity.EnrollPlatform}, with(func(f *Facts) { f.LockedUntil = later.Add(time.Hour) }), Locked},
		{"over", J{Enroll: identity.EnrollScan, EndedAt: start}, with(func(f *Facts) { f.Enrolled = true }), Ended},
		{"too late", J{Enroll: identity.EnrollScan, ExpiresAt: start}, fine, Ended},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.j.Name, tt.j.UserID, tt.j.Invitation, tt.j.Code = "u", "usr_u", "inv_i", coded
			if tt.j.ExpiresAt.IsZero() {
				tt.j.ExpiresAt = start.Add(time.Hour)
			}
			if got, _ := Next(&tt.j, tt.facts, later); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

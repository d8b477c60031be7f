package journey

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

var (
	start      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later      = start.Add(time.Minute)
	both       = []identity.Validation{identity.Password, identity.SecondFactor}
	passkeyToo = []identity.Validation{identity.Password, identity.VerifiedPasskey}
	otpOnly    = []identity.Validation{identity.SecondFactor}
	pwOnly     = []identity.Validation{identity.Password}
	pwPassed   = []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: start}}
	all        = append(slices.Clone(pwPassed), identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, At: start})
)

func TestJRN1_Next(t *testing.T) {
	type J = identity.Journey
	open := Facts{Assigned: 1, PushTo: 1, Push: true, Codes: true}
	forgotten := open
	forgotten.Password = true
	remembered := []identity.CompletedFactor{{Validation: identity.SecondFactor, Method: identity.ByRememberedDevice, At: start}}
	coded := identity.Code{PassedAt: start}
	for _, tt := range []struct {
		name  string
		j     J
		facts Facts
		want  Step
	}{
		{"fresh", J{}, Facts{}, Identify},
		{"a name nobody evaluated", J{Name: "u"}, open, Identify},
		{"named", J{Name: "u", Required: both}, open, AskPassword},
		{"JRN-10 nobody's name", J{Name: "u", Decoy: true, Required: both}, Facts{}, AskPassword},
		{"password, has one", J{Name: "u", Required: both, Passed: pwPassed}, open, Choose},
		{"no password asked", J{Name: "u", Required: otpOnly}, open, Choose},
		{"ENR-4 no password asked, nobody's name", J{Name: "u", Decoy: true, Required: otpOnly}, Facts{Codes: true}, Choose},
		{"ENR-4 no password asked, has none", J{Name: "u", Required: otpOnly}, Facts{Codes: true, MayEnroll: true}, Choose},
		{"ENR-4 no password asked, enrolling nobody", J{Name: "u", Decoy: true, Required: otpOnly, Enroll: identity.EnrollCode}, Facts{Codes: true}, EnrollCode},
		{"ENR-4 no password asked, enrolling though having one", J{Name: "u", Required: otpOnly, Enroll: identity.EnrollCode}, open, EnrollCode},
		{"push chosen, open", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPush}, Facts{Assigned: 1, Codes: true, PushOpen: true}, WaitForPush},
		{"push chosen, over", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPush}, open, PushOver},
		{"passcode chosen", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPasscode}, open, AskPasscode},
		{"passcode chosen, codes refused meanwhile", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPasscode}, Facts{Assigned: 1, Push: true, PushTo: 1}, Choose},
		{"PUSH-9a no codes, no push", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Push: true}, Refused},
		{"PUSH-9a no codes, push locked", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Push: true, PushLockedUntil: later}, PushLocked},
		{"PUSH-9a no codes, apps too old", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Push: true, TooOld: 1}, AppTooOld},
		{"PUSH-9a codes, push locked", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Push: true, Codes: true, PushLockedUntil: later}, AskPasscode},
		{"PUSH-16 the next passcode", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPush}, Facts{Assigned: 1, Push: true, PushTo: 1, Resync: true}, AskNextPasscode},
		{"PUSH-16 sent again instead", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPush}, Facts{Assigned: 1, Push: true, PushTo: 1, Resync: true, PushOpen: true}, WaitForPush},
		{"PUSH-16 not without the password", J{Name: "u", Required: both}, Facts{Assigned: 1, Resync: true}, AskPassword},
		{"ENR-1 none, may enrol", J{Name: "u", Required: both, Passed: pwPassed}, Facts{MayEnroll: true, Codes: true}, EnrollOffer},
		{"ENR-3 none, may not", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Codes: true}, Refused},
		{"ENR-1 a locked one counts", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, MayEnroll: true}, AskPasscode},
		{"no push to be had: nothing to choose", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Push: true, Codes: true}, AskPasscode},
		{"another way chosen", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPasskey}, Facts{Assigned: 1, Codes: true, OtherMethods: []identity.Method{identity.ByPasskey}}, AskPasskey},
		{"a recovery code is the only way: said on the page of choice", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, OtherMethods: []identity.Method{identity.ByRecoveryCode}}, Choose},
		{"another way beside passcodes", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, OtherMethods: []identity.Method{identity.ByPasskey}}, Choose},
		{"a recovery code beside passcodes is no choice for every day", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, OtherMethods: []identity.Method{identity.ByRecoveryCode}}, AskPasscode},
		{"CRED-16 recovery codes and nothing else", J{Name: "u", Required: both, Passed: pwPassed}, Facts{OtherMethods: []identity.Method{identity.ByRecoveryCode}}, Choose},
		{"ENR-1 recovery codes close no way in", J{Name: "u", Required: both, Passed: pwPassed}, Facts{MayEnroll: true, OtherMethods: []identity.Method{identity.ByRecoveryCode}}, Choose},
		{"a temporary passcode and nothing else", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Codes: true, Temporary: true}, AskPasscode},
		{"a temporary passcode, may enrol", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Codes: true, Temporary: true, MayEnroll: true}, Choose},
		{"a temporary passcode, enrolling", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollCode}, Facts{Codes: true, Temporary: true, MayEnroll: true}, EnrollCode},
		{"a temporary passcode, codes refused", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Temporary: true, MayEnroll: true}, EnrollOffer},
		{"another way chosen, taken away meanwhile", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByChallenge}, Facts{Assigned: 1, Push: true, PushTo: 1}, Choose},
		{"another way chosen, that and all others taken away", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByRecoveryCode}, Facts{Assigned: 1}, Refused},
		{"code sent", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollCode}, Facts{MayEnroll: true}, EnrollCode},
		{"no mail address", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollNoMail}, Facts{MayEnroll: true}, EnrollNoMail},
		{"platform without the code", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollPlatform}, Facts{MayEnroll: true}, EnrollCode},
		{"scan without the code", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollScan}, Facts{MayEnroll: true}, EnrollCode},
		{"another vendor's app without the code", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollThirdParty}, Facts{MayEnroll: true}, EnrollCode},
		{"another vendor's app", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollThirdParty, Code: coded}, Facts{MayEnroll: true}, EnrollThirdParty},
		{"platform", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollPlatform, Code: coded}, Facts{MayEnroll: true}, EnrollPlatform},
		{"scan", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollScan, Code: coded}, Facts{MayEnroll: true}, EnrollScan},
		{"ENR-2 enrolled, the journey goes on", J{Name: "u", Required: both, Passed: pwPassed, Enroll: identity.EnrollScan, Code: coded}, open, Choose},
		{"enrolling, password revoked by going back", J{Name: "u", Required: both, Enroll: identity.EnrollScan, Code: coded}, Facts{MayEnroll: true}, AskPassword},
		{"CRED-20 locked after the password", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, LockedUntil: later}, Locked},
		{"CRED-20 locked before the password", J{Name: "u", Required: both}, Facts{LockedUntil: later}, AskPassword},
		{"denied, password proved", J{Name: "u", Required: both, Passed: pwPassed, Refused: "policy"}, open, Refused},
		{"disabled meanwhile", J{Name: "u", Required: both, Passed: all}, Facts{Disabled: true}, Refused},
		{"denied, nothing proved yet", J{Name: "u", Required: otpOnly, Refused: "policy"}, open, Choose},
		{"denied, all passed", J{Name: "u", Required: pwOnly, Passed: pwPassed, Refused: "policy"}, open, Refused},
		{"password alone", J{Name: "u", Required: pwOnly, Passed: pwPassed}, Facts{}, Done},
		{"all passed", J{Name: "u", Required: both, Passed: all}, Facts{}, Done},
		{"all passed, locked", J{Name: "u", Required: both, Passed: all}, Facts{LockedUntil: later}, Locked},

		{"all passed, the password is due", J{Name: "u", Required: both, Passed: all}, Facts{PasswordDue: true}, AskNewPassword},
		{"CRED-6 all passed, the PIN is due", J{Name: "u", Required: both, Passed: all}, Facts{PINDue: true}, AskNewPIN},
		{"all passed, both are due: the password first", J{Name: "u", Required: both, Passed: all}, Facts{PasswordDue: true, PINDue: true}, AskNewPassword},
		{"the password is due, a second factor is missing", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, PasswordDue: true}, AskPasscode},
		{"the password is due, locked", J{Name: "u", Required: both, Passed: all}, Facts{PasswordDue: true, LockedUntil: later}, Locked},
		{"the password is due, denied", J{Name: "u", Required: both, Passed: all, Refused: "policy"}, Facts{PasswordDue: true}, Refused},

		{"JRN-7 a passkey is required, and there is one", J{Name: "u", Required: passkeyToo, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, OtherMethods: []identity.Method{identity.ByPasskey}}, AskPasskey},
		{"JRN-7 a passkey is required, and there is none", J{Name: "u", Required: passkeyToo, Passed: pwPassed}, open, Refused},

		{"T-LOG-01 forgotten, the code not given", J{Name: "u", Required: both, Reset: identity.ResetCode}, open, AskResetCode},
		{"T-LOG-01 forgotten, nobody's name", J{Name: "u", Decoy: true, Required: both, Reset: identity.ResetCode}, Facts{}, AskResetCode},
		{"T-LOG-01 forgotten, locked", J{Name: "u", Required: both, Reset: identity.ResetCode}, Facts{LockedUntil: later, Password: true}, AskResetCode},
		{"forgotten, the row says factor and no code was given", J{Name: "u", Required: both, Reset: identity.ResetFactor}, forgotten, AskResetCode},
		{"forgotten, the code given, locked", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, Facts{LockedUntil: later, Password: true}, Locked},
		{"forgotten, the code given, disabled", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, Facts{Disabled: true, Password: true}, Refused},
		{"forgotten, the code given, denied", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded, Refused: "policy"}, forgotten, Refused},
		{"forgotten, the code given, there is no password", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, open, Refused},
		{"forgotten, the code given, no second factor", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, Facts{Password: true, MayEnroll: true, Codes: true}, Refused},
		{"forgotten, the code given, a second factor is asked", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, forgotten, Choose},
		{"forgotten, the code given, a temporary passcode", J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: coded}, Facts{Password: true, Temporary: true, Codes: true}, AskPasscode},
		{"forgotten, a second factor given", J{Name: "u", Required: both, Passed: all[1:], Reset: identity.ResetFactor, Code: coded}, forgotten, AskNewPassword},
		{"forgotten, a remembered device is no second factor", J{Name: "u", Required: both, Passed: remembered, Reset: identity.ResetFactor, Code: coded}, forgotten, Choose},

		{"CRED-16 adding", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded}, Facts{Platform: true, Assigned: 1}, EnrollPlatform},
		{"CRED-16 adding, scanned", J{Name: "u", Adding: true, Enroll: identity.EnrollScan, Code: coded}, Facts{Platform: true, Assigned: 1}, EnrollScan},
		{"CRED-16 added", J{Name: "u", Adding: true, Enroll: identity.EnrollScan, Code: coded}, Facts{Platform: true, Assigned: 2, Enrolled: true}, Done},
		{"CRED-16 adding, the factor is gone", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded}, Facts{Platform: true, FactorGone: true}, Refused},
		{"CRED-16 adding, no platform any more", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded}, Facts{}, Refused},
		{"CRED-16 adding, disabled", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded}, Facts{Platform: true, Disabled: true}, Refused},
		{"CRED-16 adding, locked", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded}, Facts{Platform: true, LockedUntil: later}, Locked},
		{"CRED-16 all that a login takes is no addition", J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: coded, Required: both, Passed: all}, Facts{Platform: true}, EnrollPlatform},

		{"ENR-19 by an invitation", J{Name: "u", Invitation: "inv_i", Enroll: identity.EnrollPlatform, Code: coded}, Facts{Platform: true}, EnrollPlatform},
		{"ENR-19 an invitation that expired meanwhile", J{Name: "u", Invitation: "inv_i", Enroll: identity.EnrollScan, Code: coded}, Facts{Platform: true, Invitation: ReasonInvitationExpired}, EnrollScan},
		{"ENR-19 an invitation that was revoked", J{Name: "u", Invitation: "inv_i", Enroll: identity.EnrollScan, Code: coded}, Facts{Platform: true, Invitation: ReasonInvitationRevoked}, Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.j.ExpiresAt = later
			if got, _ := Next(&tt.j, tt.facts, start); got != tt.want {
				t.Errorf("Next = %q, want %q", got, tt.want)
			}
			if got, _ := Next(&tt.j, tt.facts, later); got != Ended {
				t.Errorf("after its time Next = %q, want %q", got, Ended)
			}
			tt.j.EndedAt = start
			if got, _ := Next(&tt.j, tt.facts, start); got != Ended {
				t.Errorf("of an ended one Next = %q, want %q", got, Ended)
			}
		})
	}
}

// The reason comes with the step, and says what pages and audit say.
func TestJRN1_NextSaysWhy(t *testing.T) {
	type J = identity.Journey
	proved := J{Name: "u", Required: both, Passed: pwPassed}
	with := func(change func(*J)) J { j := proved; change(&j); return j }
	invited := J{Name: "u", Invitation: "inv_i", Enroll: identity.EnrollPlatform, Code: identity.Code{PassedAt: start}}
	adding := J{Name: "u", Adding: true, Enroll: identity.EnrollPlatform, Code: identity.Code{PassedAt: start}}
	reset := J{Name: "u", Required: both, Reset: identity.ResetFactor, Code: identity.Code{PassedAt: start}}
	for _, tt := range []struct {
		name  string
		j     J
		facts Facts
		step  Step
		want  Reason
	}{
		{"it goes on", proved, Facts{Assigned: 1, Codes: true}, AskPasscode, ""},
		{"disabled", proved, Facts{Disabled: true}, Refused, ReasonDisabled},
		{"denied and disabled: disabled", with(func(j *J) { j.Refused = "policy" }), Facts{Disabled: true}, Refused, ReasonDisabled},
		{"denied", with(func(j *J) { j.Refused = "policy" }), Facts{}, Refused, ReasonPolicy},
		{"locked", proved, Facts{LockedUntil: later}, Locked, ReasonLocked},
		{"locked by an operator", proved, Facts{LockedUntil: later, OperatorLocked: true}, Locked, ReasonLockedByOperator},
		{"push locked", proved, Facts{Assigned: 1, Push: true, PushLockedUntil: later}, PushLocked, ReasonPushLocked},
		{"app too old", proved, Facts{Assigned: 1, Push: true, TooOld: 1}, AppTooOld, ReasonAppTooOld},
		{"passcodes allowed, and no authenticator makes any", proved, Facts{Assigned: 1, CodesAllowed: true}, Refused, ReasonPushOnly},
		{"no way", proved, Facts{Assigned: 1}, Refused, ReasonNoWay},
		{"PUSH-14 it wasn't me, which locked the user", with(func(j *J) { j.Method = identity.ByPush }),
			Facts{Assigned: 1, Codes: true, Rejected: true, LockedUntil: later, OtherMethods: []identity.Method{identity.ByRecoveryCode}}, Refused, ReasonRejected},
		{"PUSH-14 it wasn't me, while a password is reset", with(func(j *J) { *j = reset; j.Method = identity.ByPush }),
			Facts{Assigned: 1, Codes: true, Rejected: true, Password: true}, Refused, ReasonRejected},
		{"no passkey", J{Name: "u", Required: passkeyToo, Passed: pwPassed}, Facts{Assigned: 1}, Refused, ReasonNoPasskey},
		{"ENR-3 none, not a target", proved, Facts{WhyNotEnroll: policy.NotTargetUser}, Refused, Reason(policy.NotTargetUser)},
		{"ENR-1 none, and a permit is needed", proved, Facts{WhyNotEnroll: policy.NeedsPermit}, Refused, Reason(policy.NeedsPermit)},
		{"reset: no second factor", reset, Facts{Password: true}, Refused, ReasonNoReset},
		{"reset: no password", reset, Facts{Assigned: 1}, Refused, ReasonNoReset},
		{"reset: an authenticator that makes no passcodes", reset, Facts{Assigned: 1, Password: true, CodesAllowed: true}, Refused, ReasonPushOnly},
		{"invited: ready", invited, Facts{Enrolled: true}, Done, ReasonEnrolled},
		{"invited: used elsewhere", invited, Facts{Invitation: ReasonInvitationUsed}, Refused, ReasonInvitationUsed},
		{"invited: has one", invited, Facts{Assigned: 1, Platform: true}, Refused, ReasonHasAuthenticator},
		{"invited: disabled", invited, Facts{Disabled: true, Assigned: 1}, Refused, ReasonNotAllowed},
		{"invited: locked", invited, Facts{LockedUntil: later}, Locked, ReasonLocked},
		{"invited: cancelled", J{Name: "u", Invitation: "inv_i", EndedAt: start, Outcome: identity.Cancelled}, Facts{}, Ended, ReasonCancelled},
		{"invited: expired with its invitation", J{Name: "u", Invitation: "inv_i", ExpiresAt: start}, Facts{Invitation: ReasonInvitationExpired}, Ended, ReasonInvitationExpired},
		{"invited: too late", J{Name: "u", Invitation: "inv_i", ExpiresAt: start}, Facts{}, Ended, ReasonLate},
		{"adding: ready", adding, Facts{Enrolled: true}, Done, ReasonEnrolled},
		{"adding: not any more", adding, Facts{FactorGone: true}, Refused, ReasonNotAllowed},
		{"adding: has another, which is why it adds", J{Name: "u", Adding: true, ExpiresAt: start}, Facts{Assigned: 1}, Ended, ReasonLate},
		{"adding: cancelled", J{Name: "u", Adding: true, EndedAt: start, Outcome: identity.Cancelled}, Facts{Assigned: 1}, Ended, ReasonCancelled},
		{"an ended login says its outcome alone", J{Name: "u", EndedAt: start, Outcome: identity.Denied}, Facts{Disabled: true}, Ended, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.j.ExpiresAt.IsZero() {
				tt.j.ExpiresAt = later
			}
			if step, why := Next(&tt.j, tt.facts, start); step != tt.step || why != tt.want {
				t.Errorf("Next = %q for %q, want %q for %q", step, why, tt.step, tt.want)
			}
		})
	}
}

// Whatever a journey's row and the facts say, success takes every required
// validation, stages of self-provisioning behind the mailed code take it, a new
// password takes a second factor or the old password, and whatever goes no further
// says why.
func TestJRN1_NoStateReachesSuccessUnproved(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // a reproducible sequence, not a secret
	flip := func() bool { return r.IntN(2) == 0 }
	stages := []identity.Stage{identity.NotEnrolling, identity.EnrollOffered, identity.EnrollCode, identity.EnrollPlatform, identity.EnrollScan, identity.EnrollThirdParty, identity.EnrollNoMail, "garbage"}
	methods := []identity.Method{"", identity.ByPush, identity.ByPasscode, identity.ByPasskey, identity.ByRecoveryCode, identity.ByChallenge, "garbage"}
	resets := []identity.Reset{identity.NotResetting, identity.NotResetting, identity.ResetCode, identity.ResetFactor, "garbage"}
	ends := []Reason{"", "", ReasonInvitationUsed, ReasonInvitationRevoked, ReasonInvitationExpired}
	reached := map[Step]int{}
	for range 400_000 {
		j := identity.Journey{ExpiresAt: later, Enroll: stages[r.IntN(len(stages))], Method: methods[r.IntN(len(methods))],
			Reset: resets[r.IntN(len(resets))], Decoy: flip(), Adding: r.IntN(5) == 0}
		if flip() {
			j.Name = "u"
		}
		if r.IntN(5) == 0 {
			j.Invitation = "inv_i"
		}
		for _, v := range []identity.Validation{identity.Password, identity.SecondFactor, identity.VerifiedPasskey} {
			if flip() && (v != identity.VerifiedPasskey || r.IntN(4) == 0) {
				j.Required = append(j.Required, v)
			}
			if flip() {
				j.Passed = append(j.Passed, identity.CompletedFactor{Validation: v, Method: methods[r.IntN(len(methods))]})
			}
		}
		if flip() {
			j.Code.PassedAt = start
		}
		if flip() {
			j.Refused = "policy"
		}
		if r.IntN(4) == 0 {
			j.EndedAt = start
		}
		f := Facts{Assigned: r.IntN(2), PushTo: r.IntN(2), TooOld: r.IntN(2), Push: flip(), Codes: flip(), CodesAllowed: flip(), MayEnroll: flip(), PushOpen: flip(),
			Temporary: r.IntN(4) == 0, Password: flip(), PasswordDue: r.IntN(4) == 0, PINDue: r.IntN(4) == 0, Resync: r.IntN(8) == 0,
			Enrolled: r.IntN(4) == 0, Invitation: ends[r.IntN(len(ends))], FactorGone: r.IntN(4) == 0, Platform: flip(),
			WhyNotEnroll: policy.NotTargetUser, Disabled: r.IntN(4) == 0, OperatorLocked: r.IntN(4) == 0}
		if flip() {
			f.LockedUntil = later
		}
		if r.IntN(4) == 0 {
			f.PushLockedUntil = later
		}
		if r.IntN(3) == 0 {
			f.OtherMethods = []identity.Method{identity.ByPasskey, identity.ByRecoveryCode, identity.ByChallenge}
		}
		step, why := Next(&j, f, start)
		reached[step]++
		if problem := unsound(&j, f, step, why); problem != "" {
			t.Fatalf("%s at %q for %q: %+v %+v", problem, step, why, j, f)
		}
	}
	for _, s := range []Step{Identify, AskPassword, Choose, WaitForPush, PushOver, PushLocked, AppTooOld, AskPasscode, AskNextPasscode, AskPasskey,
		AskChallenge, AskRecoveryCode, AskResetCode, AskNewPIN, AskNewPassword, EnrollOffer, EnrollCode, EnrollPlatform, EnrollScan,
		EnrollThirdParty, EnrollNoMail, Locked, Refused, Done, Ended} {
		if reached[s] == 0 {
			t.Errorf("no state reached %q", s)
		}
	}
}

// unsound says what must never be true of a step; empty where nothing is wrong.
func unsound(j *identity.Journey, f Facts, step Step, why Reason) string {
	ends := slices.Contains([]Step{Locked, Refused, PushLocked, AppTooOld}, step) || !j.Login() && (step == Done || step == Ended)
	proved := !slices.Contains(j.Missing(), identity.Password)
	switch {
	case ends != (why != ""):
		return "a step that goes no further says why, and no other does"
	case !j.EndedAt.IsZero() && step != Ended:
		return "an ended journey goes on"
	case step == Done && j.Login() && (len(j.Required) == 0 || len(j.Missing()) > 0 || j.Refused != "" || f.Disabled || j.Name == "" ||
		f.PasswordDue || f.PINDue || j.Reset != identity.NotResetting || !f.LockedUntil.IsZero()):
		return "a login is done without all that is required"
	case step == Done && !j.Login() && !f.Enrolled:
		return "an enrolment is done without its authenticator"
	case step == AskNewPassword && j.Reset != identity.NotResetting && (!j.HasSecondFactor() || j.Code.PassedAt.IsZero() || !f.Password || f.Disabled || j.Refused != ""):
		return "a forgotten password is set without the code, a second factor or a password"
	case step == AskNewPassword && j.Reset == identity.NotResetting && (len(j.Missing()) > 0 || !f.PasswordDue || f.Disabled):
		return "a password that is due is set before everything was passed"
	case step == AskNewPIN && (len(j.Missing()) > 0 || !f.PINDue):
		return "a PIN is set before everything was passed"
	case slices.Contains([]Step{EnrollPlatform, EnrollScan, EnrollThirdParty}, step) && (j.Code.PassedAt.IsZero() || !proved && !j.Adding || j.Reset != identity.NotResetting && j.Login()):
		return "something is issued without the code or the password"
	case slices.Contains([]Step{EnrollPlatform, EnrollScan, EnrollThirdParty}, step) && !j.Adding && f.Assigned > 0:
		return "something is issued to somebody who has an authenticator"
	case slices.Contains([]Step{EnrollPlatform, EnrollScan, EnrollThirdParty}, step) && !j.Login() && (f.Disabled || !f.Platform || !f.LockedUntil.IsZero()):
		return "something is issued to somebody who may have none"
	case step == EnrollOffer && (!j.Has(identity.Password) || !f.MayEnroll):
		return "self-provisioning is offered to somebody unproved"
	}
	return ""
}

var rules = Rules{Contexts: policy.Contexts{Names: map[string][]identity.Validation{
	"https://example.org/both":  {identity.Password, identity.SecondFactor},
	"https://example.org/typed": {identity.SecondFactor},
}}}

// With the look at remembered devices taken out of class.reached, the rows with
// one tell of a second factor there was none of.
func TestJRN8_ContextsAreTrue(t *testing.T) {
	remembered := []identity.CompletedFactor{pwPassed[0], {Validation: identity.SecondFactor, Method: identity.ByRememberedDevice}}
	passkey := []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByVerifiedPasskey}, {Validation: identity.SecondFactor, Method: identity.ByVerifiedPasskey}}
	unverified := []identity.CompletedFactor{pwPassed[0], {Validation: identity.SecondFactor, Method: identity.ByPasskey}}
	for _, tt := range []struct {
		protocol identity.Protocol
		asked    []string
		passed   []identity.CompletedFactor
		want     string
	}{
		{"", nil, pwPassed, PasswordContext},
		{"", nil, all, MFAContext},
		{"", []string{PasswordContext}, all, PasswordContext},
		{"", []string{MFAContext, PasswordContext}, pwPassed, PasswordContext},
		{"", []string{MFAContext}, all[1:], AnyContext},
		{"", nil, all[1:], AnyContext},
		{"", []string{"urn:nobody:knows"}, all, MFAContext},
		{"", nil, remembered, PasswordContext},
		{"", []string{MFAContext, PasswordContext}, remembered, PasswordContext},
		{"", []string{"https://example.org/both"}, remembered, PasswordContext},
		{"", []string{"https://example.org/typed"}, all, "https://example.org/typed"},
		{"", nil, unverified, MFAContext},
		{identity.OIDC, nil, passkey, PhishingResistantContext},
		{identity.SAML, nil, passkey, MFAContext}, // a class is a URI there
		{identity.SAML, []string{PhishingResistantContext}, passkey, PhishingResistantContext},
		{identity.OIDC, []string{MFAContext}, passkey[1:], MFAContext},
	} {
		if got := rules.Reached(&identity.Journey{ACR: tt.asked, Protocol: tt.protocol, Passed: tt.passed}); got != tt.want {
			t.Errorf("Reached(%v, %v) = %s, want %s", tt.asked, tt.passed, got, tt.want)
		}
	}
	if _, ok := rules.asked([]string{"urn:nobody:knows"}); ok {
		t.Error("a context nobody knows was taken for reachable")
	}
	if need, ok := rules.asked([]string{MFAContext}); !ok || !slices.Equal(need, both) {
		t.Errorf("asked(mfa) = %v, %v", need, ok)
	}
	if need, ok := rules.asked([]string{MFAContext, "https://example.org/typed"}); !ok || !slices.Equal(need, []identity.Validation{identity.SecondFactor}) {
		t.Errorf("asked(mfa, the tenant's own) = %v, %v", need, ok)
	}
}

func TestJRN8_ReferencesAreTrue(t *testing.T) {
	password := identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword}
	second := func(m identity.Method) []identity.CompletedFactor {
		return []identity.CompletedFactor{password, {Validation: identity.SecondFactor, Method: m}}
	}
	for _, tt := range []struct {
		passed []identity.CompletedFactor
		want   []string
	}{
		{nil, nil},
		{pwPassed, []string{"pwd"}},
		{second(identity.ByPasscode), []string{"pwd", "otp", "mfa"}},
		{second(identity.ByPush), []string{"pwd", "swk", "user", "mfa"}},
		{second(identity.ByChallenge), []string{"pwd", "otp", "mfa"}},
		{second(identity.ByRecoveryCode), []string{"pwd", "otp", "mfa"}},
		{second(identity.ByPasskey), []string{"pwd", "swk", "user", "mfa"}},
		{second(identity.ByVerifiedPasskey), []string{"pwd", "swk", "user", "mfa"}},
		{second(identity.ByVerifiedPasskey)[1:], []string{"swk", "user", "mfa"}},
		{second(identity.ByPasscode)[1:], []string{"otp"}},
		{second(identity.ByRememberedDevice), []string{"pwd"}}, // never a second factor
	} {
		if got := References(tt.passed); !slices.Equal(got, tt.want) {
			t.Errorf("References(%v) = %v, want %v", tt.passed, got, tt.want)
		}
	}
}

func TestJRN8_Comparisons(t *testing.T) {
	for _, tt := range []struct {
		asked []string
		how   Comparison
		want  []string
	}{
		{nil, "", nil},
		{[]string{MFAContext, "urn:nobody:knows", PasswordContext}, "", []string{MFAContext, PasswordContext}},
		{[]string{"urn:nobody:knows"}, Exact, nil},
		{[]string{"urn:nobody:knows"}, Maximum, nil},
		{[]string{PasswordContext}, Minimum, []string{MFAContext, "https://example.org/both", PasswordContext, "https://example.org/typed"}},
		{[]string{PasswordContext, MFAContext}, Minimum, []string{MFAContext, "https://example.org/both", PasswordContext, "https://example.org/typed"}},
		{[]string{AnyContext, PasswordContext}, Better, []string{MFAContext, "https://example.org/both"}},
		{[]string{MFAContext}, Better, nil},
		{[]string{PasswordContext}, Maximum, []string{PasswordContext, "https://example.org/typed", AnyContext}},
		{[]string{PhishingResistantContext}, Exact, []string{PhishingResistantContext}},
		{[]string{MFAContext}, "worse", nil},
	} {
		if got := rules.acceptable(tt.asked, tt.how); !slices.Equal(got, tt.want) {
			t.Errorf("acceptable(%v, %q) = %v, want %v", tt.asked, tt.how, got, tt.want)
		}
	}
}

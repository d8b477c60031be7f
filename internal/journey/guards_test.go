package journey

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A forgotten password is set anew only for somebody who has one and may: once
// the mailed code was right, a user without a password, or in a tenant that
// switched this off meanwhile, is refused whatever else the user could do. Until
// then every name stands at the same page (T-LOG-01).
func TestTLOG05_OnlyAPasswordThatIsThereIsSetAnew(t *testing.T) {
	coded := identity.Code{PassedAt: start}
	factor := []identity.CompletedFactor{{Validation: identity.SecondFactor, Method: identity.ByPasscode, At: start}}
	ways := Facts{Assigned: 1, Codes: true, Push: true, PushTo: 1, Temporary: true, OtherMethods: []identity.Method{identity.ByPasskey}}
	for _, tt := range []struct {
		name     string
		code     identity.Code
		passed   []identity.CompletedFactor
		password bool // whether there is one that may be set anew
		want     Step
	}{
		{"no password, before the code", identity.Code{}, nil, false, AskResetCode},
		{"a password, before the code", identity.Code{}, nil, true, AskResetCode},
		{"no password, after the code", coded, nil, false, Refused},
		{"a password, after the code", coded, nil, true, Choose},
		{"no password, after code and second factor", coded, factor, false, Refused},
		{"a password, after code and second factor", coded, factor, true, AskNewPassword},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := identity.Journey{Name: "u", Required: both, Reset: identity.ResetFactor, Code: tt.code, Passed: tt.passed, ExpiresAt: later}
			f := ways
			f.Password = tt.password
			if got, _ := Next(&j, f, start); got != tt.want {
				t.Errorf("Next = %q, want %q", got, tt.want)
			}
		})
	}
}

// A remembered device may stand for the second factor where each condition holds,
// and where one of them does not it may not. Above all the user must hold an
// authenticator: a device never stands for one that there is none of, nor opens
// self-provisioning to be passed over (ENR-1).
func TestJRN9_WhenADeviceMayStandForTheFactor(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(j *identity.Journey, f *Facts)
		want   bool
	}{
		{"all holds", func(*identity.Journey, *Facts) {}, true},
		{"the user will be remembered", func(j *identity.Journey, _ *Facts) { j.Remember = identity.WillRemember }, true},
		{"the rule allows none", func(j *identity.Journey, _ *Facts) { j.Remember = identity.NotRemembered }, false},
		{"the application asks for two factors", func(j *identity.Journey, _ *Facts) { j.ACR = []string{MFAContext} }, false},
		{"no password is asked for, and none was given", func(j *identity.Journey, _ *Facts) { j.Required, j.Passed = otpOnly, nil }, false},
		{"the password was not given", func(j *identity.Journey, _ *Facts) { j.Passed = nil }, false},
		{"a verified passkey is missing too", func(j *identity.Journey, _ *Facts) {
			j.Required = append(j.Required[:len(j.Required):len(j.Required)], identity.VerifiedPasskey)
		}, false},
		{"nothing is missing", func(j *identity.Journey, _ *Facts) { j.Required = pwOnly }, false},
		{"refused by policy", func(j *identity.Journey, _ *Facts) { j.Refused = "policy" }, false},
		{"disabled", func(_ *identity.Journey, f *Facts) { f.Disabled = true }, false},
		{"no authenticator", func(_ *identity.Journey, f *Facts) { f.Assigned = 0 }, false},
		{"no authenticator, but other methods", func(_ *identity.Journey, f *Facts) {
			f.Assigned, f.Temporary, f.OtherMethods = 0, true, []identity.Method{identity.ByRecoveryCode}
		}, false},
		{"no authenticator, may enrol", func(_ *identity.Journey, f *Facts) { f.Assigned, f.MayEnroll = 0, true }, false},
		{"locked", func(_ *identity.Journey, f *Facts) { f.LockedUntil = later }, false},
		{"a lock that is over", func(_ *identity.Journey, f *Facts) { f.LockedUntil = start }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := View{Journey: &identity.Journey{Name: "u", Required: both, Passed: pwPassed, Remember: identity.MayRemember, ExpiresAt: later},
				Facts: Facts{Assigned: 1, Codes: true}}
			tt.change(v.Journey, &v.Facts)
			if got := v.mayRecognise(start); got != tt.want {
				t.Errorf("mayRecognise = %v, want %v", got, tt.want)
			}
		})
	}
}

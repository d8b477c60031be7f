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
	start    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later    = start.Add(time.Minute)
	both     = []identity.Validation{identity.Password, identity.SecondFactor}
	otpOnly  = []identity.Validation{identity.SecondFactor}
	pwOnly   = []identity.Validation{identity.Password}
	pwPassed = []identity.Passed{{Validation: identity.Password, Method: identity.ByPassword, At: start}}
	all      = append(slices.Clone(pwPassed), identity.Passed{Validation: identity.SecondFactor, Method: identity.ByPush, At: start})
)

func TestJRN1_Next(t *testing.T) {
	type J = identity.Journey
	open := Facts{Assigned: 1, PushTo: 1, Push: true, Codes: true}
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
		{"another way chosen", J{Name: "u", Required: both, Passed: pwPassed, Method: identity.ByPasskey}, Facts{Assigned: 1, Codes: true, Others: []identity.Method{identity.ByPasskey}}, AskPasskey},
		{"a recovery code is the only way: said on the page of choice", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Others: []identity.Method{identity.ByRecoveryCode}}, Choose},
		{"another way beside passcodes", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, Others: []identity.Method{identity.ByPasskey}}, Choose},
		{"a recovery code beside passcodes is no choice for every day", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Assigned: 1, Codes: true, Others: []identity.Method{identity.ByRecoveryCode}}, AskPasscode},
		{"CRED-16 recovery codes and nothing else", J{Name: "u", Required: both, Passed: pwPassed}, Facts{Others: []identity.Method{identity.ByRecoveryCode}}, Choose},
		{"ENR-1 recovery codes close no way in", J{Name: "u", Required: both, Passed: pwPassed}, Facts{MayEnroll: true, Others: []identity.Method{identity.ByRecoveryCode}}, Choose},
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
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.j.ExpiresAt = later
			if got := Next(&tt.j, tt.facts, start); got != tt.want {
				t.Errorf("Next = %q, want %q", got, tt.want)
			}
			if got := Next(&tt.j, tt.facts, later); got != Ended {
				t.Errorf("after its time Next = %q, want %q", got, Ended)
			}
			tt.j.EndedAt = start
			if got := Next(&tt.j, tt.facts, start); got != Ended {
				t.Errorf("of an ended one Next = %q, want %q", got, Ended)
			}
		})
	}
}

// Whatever a journey's row and the facts say, success takes every required
// validation, and stages of self-provisioning behind the mailed code take it.
func TestJRN1_NoStateReachesSuccessUnproved(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a reproducible walk, not a secret
	flip := func() bool { return r.IntN(2) == 0 }
	stages := []identity.Stage{identity.NotEnrolling, identity.EnrollOffered, identity.EnrollCode, identity.EnrollPlatform, identity.EnrollScan, identity.EnrollNoMail, "garbage"}
	methods := []identity.Method{"", identity.ByPush, identity.ByPasscode, identity.ByPasskey, identity.ByRecoveryCode, "garbage"}
	reached := map[Step]int{}
	for range 200_000 {
		j := identity.Journey{ExpiresAt: later, Enroll: stages[r.IntN(len(stages))], Method: methods[r.IntN(len(methods))], Decoy: flip()}
		if flip() {
			j.Name = "u"
		}
		for _, v := range both {
			if flip() {
				j.Required = append(j.Required, v)
			}
			if flip() {
				j.Passed = append(j.Passed, identity.Passed{Validation: v})
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
		f := Facts{Assigned: r.IntN(2), PushTo: r.IntN(2), Push: flip(), Codes: flip(), MayEnroll: flip(), PushOpen: flip()}
		if flip() {
			f.LockedUntil = later
		}
		if r.IntN(3) == 0 {
			f.Others = []identity.Method{identity.ByPasskey, identity.ByRecoveryCode}
		}
		f.Disabled = r.IntN(4) == 0
		step := Next(&j, f, start)
		reached[step]++
		switch step {
		case Done:
			if len(j.Required) == 0 || len(j.Missing()) > 0 || j.Refused != "" || f.Disabled || !j.EndedAt.IsZero() || j.Name == "" {
				t.Fatalf("done without all that is required: %+v %+v", j, f)
			}
		case EnrollPlatform, EnrollScan:
			if j.Code.PassedAt.IsZero() || f.Assigned > 0 || slices.Contains(j.Missing(), identity.Password) {
				t.Fatalf("%s without the code, the password, or with an authenticator: %+v %+v", step, j, f)
			}
		case EnrollOffer:
			if !j.Has(identity.Password) || !f.MayEnroll {
				t.Fatalf("offered to somebody unproved: %+v %+v", j, f)
			}
		}
	}
	for _, s := range []Step{Identify, AskPassword, Choose, WaitForPush, PushOver, AskPasscode, AskPasskey, AskRecoveryCode, EnrollOffer, EnrollCode, EnrollPlatform, EnrollScan, EnrollNoMail, Locked, Refused, Done, Ended} {
		if reached[s] == 0 {
			t.Errorf("the walk never reached %q", s)
		}
	}
}

var rules = Rules{Contexts: policy.Contexts{Names: map[string][]identity.Validation{
	"https://example.org/both":  {identity.Password, identity.SecondFactor},
	"https://example.org/typed": {identity.SecondFactor},
}}}

// With the look at remembered devices taken out of class.reached, the rows with
// one tell of a second factor there was none of.
func TestJRN8_ContextsAreTrue(t *testing.T) {
	remembered := []identity.Passed{pwPassed[0], {Validation: identity.SecondFactor, Method: identity.ByRememberedDevice}}
	passkey := []identity.Passed{{Validation: identity.Password, Method: identity.ByVerifiedPasskey}, {Validation: identity.SecondFactor, Method: identity.ByVerifiedPasskey}}
	unverified := []identity.Passed{pwPassed[0], {Validation: identity.SecondFactor, Method: identity.ByPasskey}}
	for _, tt := range []struct {
		protocol identity.Protocol
		asked    []string
		passed   []identity.Passed
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
	password := identity.Passed{Validation: identity.Password, Method: identity.ByPassword}
	second := func(m identity.Method) []identity.Passed {
		return []identity.Passed{password, {Validation: identity.SecondFactor, Method: m}}
	}
	for _, tt := range []struct {
		passed []identity.Passed
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

package policy

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const (
	plain        = identity.PushStep
	withPresence = identity.PushWithPresenceStep
	typed        = identity.PasscodeStep
)

// A journey definition that names both push steps is refused, with the place.
func TestPUSH20_BothPushStepsAreRefused(t *testing.T) {
	both := []identity.Validation{identity.Password, identity.SecondFactor}
	for _, tt := range []struct {
		name    string
		require []identity.Validation
		steps   []identity.FactorStep
		field   string // of the problem; empty: none
		key     string
	}{
		{"none named", both, nil, "", ""},
		{"plain", both, []identity.FactorStep{plain, typed}, "", ""},
		{"with a presence check", both, []identity.FactorStep{typed, withPresence}, "", ""},
		{"both", both, []identity.FactorStep{plain, typed, withPresence}, "rules[0].steps[2]", "policy.problem.push-twice"},
		{"both, the other way", both, []identity.FactorStep{withPresence, plain}, "rules[0].steps[1]", "policy.problem.push-twice"},
		{"one twice", both, []identity.FactorStep{typed, typed}, "rules[0].steps[1]", "policy.problem.twice"},
		{"one that is none", both, []identity.FactorStep{"pull"}, "rules[0].steps[0]", "policy.problem.choice"},
		{"for nothing", both[:1], []identity.FactorStep{typed}, "rules[0].steps", "policy.problem.no-otp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Encode(Access{Rules: []Rule{{Name: "all", Require: tt.require, Steps: tt.steps}}})
			problems, _ := errors.AsType[Problems](err)
			switch {
			case tt.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.field != "" && (len(problems) != 1 || problems[0].Field != tt.field || problems[0].Key != tt.key):
				t.Errorf("problems %v, want %s at %s", problems, tt.key, tt.field)
			}
		})
	}
}

// Where the journey definition, the policy, the day after a rejection and what
// the application can show require different things, the strictest applies.
func TestPUSH20_PUSH21_Occasions(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings string
		at       PushContext
		want     Presence
		ok       bool
	}{
		{"plain step, plain policy", "YYN", PushContext{Proved: true, Steps: []identity.FactorStep{plain}}, NoPresence, true},
		{"plain step, policy asks", "YYS", PushContext{Proved: true, Steps: []identity.FactorStep{plain}}, SixDigits, true},
		{"presence step, plain policy", "YYN", PushContext{Proved: true, Steps: []identity.FactorStep{withPresence}}, Enter, true},
		{"presence step, policy picks", "YYP", PushContext{Proved: true, Steps: []identity.FactorStep{withPresence}}, Enter, true},
		{"presence step, six digits", "YYS", PushContext{Proved: true, Steps: []identity.FactorStep{withPresence}}, SixDigits, true},
		{"no push step", "YYE", PushContext{Proved: true, Steps: []identity.FactorStep{typed}}, NoPresence, false},
		{"presence step, push off", "NYN", PushContext{Proved: true, Steps: []identity.FactorStep{withPresence}}, NoPresence, false},
		{"plain step, the day after", "YYN", PushContext{Proved: true, Rejected: true, Steps: []identity.FactorStep{plain}}, Enter, true},

		{"PUSH-21 no screen, plain policy", "YYN", PushContext{Proved: true, CannotShow: true}, NoPresence, true},
		{"PUSH-21 no screen, policy asks", "YYE", PushContext{Proved: true, CannotShow: true}, NoPresence, false},
		{"PUSH-21 no screen, policy asks, plain allowed", "YYE", PushContext{Proved: true, CannotShow: true, AllowPlain: true}, NoPresence, true},
		{"PUSH-21 plain allowed, but there is a screen", "YYE", PushContext{Proved: true, AllowPlain: true}, Enter, true},
		{"PUSH-21 plain allowed, the day after", "YYE", PushContext{Proved: true, Rejected: true, CannotShow: true, AllowPlain: true}, NoPresence, false},
		{"PUSH-21 plain allowed, definition asks", "YYN", PushContext{Proved: true, CannotShow: true, AllowPlain: true, Steps: []identity.FactorStep{withPresence}}, NoPresence, false},
		{"PUSH-21 plain allowed, nothing proved", "YYE", PushContext{CannotShow: true, AllowPlain: true}, NoPresence, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := DefaultPush()
			p.BeforePassword = tt.name == "PUSH-21 plain allowed, nothing proved"
			if got, ok := p.Check(settings(tt.settings), tt.at); got != tt.want || ok != tt.ok {
				t.Errorf("got %s, %t, want %s, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// Hiding one's address never opens a step: only steps that every rule offers which
// might decide are offered.
func TestPUSH20_StepsOfAnUnknownAddress(t *testing.T) {
	otp := []identity.Validation{identity.SecondFactor}
	office := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, tt := range []struct {
		name           string
		inside, others []identity.FactorStep
		want           []identity.FactorStep
		deny           bool
	}{
		{"one names none", nil, []identity.FactorStep{typed}, []identity.FactorStep{typed}, false},
		{"the other names none", []identity.FactorStep{typed, plain}, nil, []identity.FactorStep{typed, plain}, false},
		{"the stricter push", []identity.FactorStep{plain, typed}, []identity.FactorStep{withPresence}, []identity.FactorStep{withPresence}, false},
		{"nothing in common", []identity.FactorStep{typed}, []identity.FactorStep{plain}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := Access{Rules: []Rule{{Name: "office", Networks: office, Require: otp, Steps: tt.inside}, {Name: "others", Require: otp, Steps: tt.others}}}
			got := a.Decide(Subject{Application: "app_x"})
			if got.Deny != tt.deny || !slices.Equal(got.Steps, tt.want) {
				t.Errorf("got %v, deny %v; want %v, %v", got.Steps, got.Deny, tt.want, tt.deny)
			}
		})
	}
}

// What is offered before the user is known is what any user may use there.
func TestPUSH20_OffersStep(t *testing.T) {
	otp := []identity.Validation{identity.SecondFactor}
	a := Access{Rules: []Rule{
		{Name: "payroll", Applications: []string{"pay"}, Require: otp, Steps: []identity.FactorStep{typed}},
		{Name: "staff", Groups: []string{"staff"}, Require: otp, Steps: []identity.FactorStep{withPresence}},
		{Name: "all", Require: otp, Steps: []identity.FactorStep{typed}},
	}}
	for _, tt := range []struct {
		step        identity.FactorStep
		application string
		want        bool
	}{
		{typed, "pay", true}, {withPresence, "pay", false},
		{typed, "wiki", true}, {withPresence, "wiki", true}, {plain, "wiki", false},
	} {
		if got := a.OffersStep(tt.step, tt.application, netip.MustParseAddr("192.0.2.7")); got != tt.want {
			t.Errorf("%s at %s: %v, want %v", tt.step, tt.application, got, tt.want)
		}
	}
}

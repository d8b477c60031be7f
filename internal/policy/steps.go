package policy

import (
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// factorSteps lists the steps a journey definition can name.
var factorSteps = []identity.FactorStep{identity.PushStep, identity.PushWithPresenceStep, identity.PasscodeStep}

// Offers reports whether a journey definition offers a step. A definition without
// steps offers all.
func Offers(steps []identity.FactorStep, step identity.FactorStep) bool {
	return len(steps) == 0 || slices.Contains(steps, step)
}

// checkSteps records what is wrong with a rule's steps. It refuses both push
// steps in one rule: one says that a plain push suffices, the other that it does
// not (PUSH-20).
func (r Rule) checkSteps(ps *Problems, at string) {
	for i, s := range r.Steps {
		field := fmt.Sprintf("%ssteps[%d]", at, i)
		oneOf(ps, field, s, factorSteps...)
		before := r.Steps[:i]
		switch {
		case slices.Contains(before, s):
			ps.add(field, "twice")
		case s == identity.PushStep && slices.Contains(before, identity.PushWithPresenceStep),
			s == identity.PushWithPresenceStep && slices.Contains(before, identity.PushStep):
			ps.add(field, "push-twice")
		}
	}
	if len(r.Steps) > 0 && !slices.Contains(r.Require, identity.SecondFactor) {
		ps.add(at+"steps", "no-otp")
	}
}

// commonSteps returns the steps that two rules both offer, in the order of the
// first one that names any. If both offer push, the stricter push step remains.
// It returns false if nothing remains.
func commonSteps(a, b []identity.FactorStep) ([]identity.FactorStep, bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	var both []identity.FactorStep
	for _, s := range a {
		switch {
		case slices.Contains(b, s):
			both = append(both, s)
		case s == identity.PushStep && slices.Contains(b, identity.PushWithPresenceStep),
			s == identity.PushWithPresenceStep && slices.Contains(b, identity.PushStep):
			both = append(both, identity.PushWithPresenceStep)
		}
	}
	return both, len(both) > 0
}

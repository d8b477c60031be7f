package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Access is the policy that says who may log in to which application, from
// where, and what they must prove (JRN-7). The rules are tried in order. The
// first rule that matches decides. If none matches, the login is denied.
type Access struct {
	Rules []Rule `json:"rules"`
}

// A Rule matches a login by group, application and network. An empty list
// matches everything.
type Rule struct {
	Name         string                `json:"name"`
	Groups       []string              `json:"groups,omitempty"`       // group ids; matches a member of any of them
	Applications []string              `json:"applications,omitempty"` // application ids
	Networks     []netip.Prefix        `json:"networks,omitempty"`
	Deny         bool                  `json:"deny,omitempty"`
	Require      []identity.Validation `json:"require,omitempty"`
	MaxAge       int64                 `json:"max_age,omitempty"`  // seconds since the login; 0 means no limit
	Remember     bool                  `json:"remember,omitempty"` // devices may be remembered, for as long as [Devices] says (JRN-9)

	// Steps is the journey definition: the steps that may prove the second
	// factor, in the order in which they are offered. Empty means all.
	Steps []identity.FactorStep `json:"steps,omitempty"`
}

// validations lists what a rule can require, in the order in which it is asked for.
var validations = []identity.Validation{identity.Password, identity.SecondFactor, identity.VerifiedPasskey}

// DefaultAccess requires a password and a second factor from everybody.
func DefaultAccess() Access {
	return Access{Rules: []Rule{{
		Name:    "everyone",
		Require: []identity.Validation{identity.Password, identity.SecondFactor},
	}}}
}

// Kind returns KindAccess.
func (Access) Kind() Kind { return KindAccess }

const (
	maxRules  = 200
	maxMaxAge = 365 * 24 * 3600 // seconds
)

// Validate reports everything that is wrong. A rule that neither denies nor
// requires anything is wrong: anybody who types a name could log in.
func (a Access) Validate() error {
	var ps Problems
	switch {
	case len(a.Rules) == 0:
		ps.add("rules", "no-rules")
	case len(a.Rules) > maxRules:
		ps.add("rules", "length", "most", maxRules)
	}
	named := make(map[string]bool)
	for i, r := range a.Rules {
		at := fmt.Sprintf("rules[%d].", i)
		switch {
		case r.Name == "":
			ps.add(at+"name", "missing")
		case len(r.Name) > identity.MaxName:
			ps.add(at+"name", "length", "most", identity.MaxName)
		case named[r.Name]:
			ps.add(at+"name", "twice")
		}
		named[r.Name] = true
		ps.checkIDs(at+"groups", "group", r.Groups)
		ps.checkIDs(at+"applications", "application", r.Applications)
		for j, n := range r.Networks {
			ps.checkNetwork(fmt.Sprintf("%snetworks[%d]", at, j), n)
		}
		for j, v := range r.Require {
			field := fmt.Sprintf("%srequire[%d]", at, j)
			oneOf(&ps, field, v, validations...)
			if slices.Contains(r.Require[:j], v) {
				ps.add(field, "twice")
			}
		}
		switch {
		case r.Deny && len(r.Require) > 0:
			ps.add(at+"require", "denies")
		case !r.Deny && len(r.Require) == 0:
			ps.add(at+"require", "no-proof")
		}
		if slices.Contains(r.Require, identity.VerifiedPasskey) && !slices.Contains(r.Require, identity.Password) {
			ps.add(at+"require", "passkey") // the password page before it offers the alternatives to a password
		}
		ps.inRange(at+"max_age", r.MaxAge, 0, maxMaxAge)
		if r.Remember && !(slices.Contains(r.Require, identity.Password) && slices.Contains(r.Require, identity.SecondFactor)) {
			ps.add(at+"remember", "remember") // a remembered device follows a password and replaces the second factor
		}
		r.checkSteps(&ps, at)
	}
	return ps.err()
}

// A Subject is the login that is decided on. A name that belongs to no user has
// no groups. An unknown address is the zero Addr.
type Subject struct {
	Groups      []string
	Application string
	Address     netip.Addr
}

// A Decision is what Access says about a Subject. Check Deny first: the other
// fields apply only if it is false.
type Decision struct {
	Rule    string // the name of the rule that decided; empty if none matched
	Deny    bool
	Require []identity.Validation // in the order in which it is asked for
	MaxAge  int64                 // seconds; 0 means no limit
	Reason  Reason
	Steps   []identity.FactorStep // steps that may prove the second factor; empty means all

	Remember bool // a remembered device may replace the second factor
}

// A Trace says why one rule decided, or why it did not.
type Trace struct {
	Rule   string
	Reason Reason
}

// A Reason says why something was decided. Logs, events and the command line
// show it.
type Reason string

// Reasons of access decisions and of single rules.
const (
	Matches          Reason = "matches"
	OtherApplication Reason = "for other applications"
	OtherGroups      Reason = "for other groups"
	OtherNetwork     Reason = "for other networks"
	AddressUnknown   Reason = "address unknown"
	NotReached       Reason = "an earlier rule decided"
	NoRuleMatches    Reason = "no rule matches"
	NothingToProve   Reason = "the rule asks for nothing"
)

// Decide returns the decision on a login.
func (a Access) Decide(s Subject) Decision {
	d, _ := a.Explain(s)
	return d
}

// Explain returns the decision on a login, and for every rule why it decided or
// why it did not.
//
// An unknown address may be in any network. Any rule that names networks and
// matches otherwise may therefore be the right one, and the decision is the
// strictest possible. If such a rule denies, the login is denied. Otherwise what
// these rules require is added to what the deciding rule requires, and only
// steps that all of them offer remain. Hiding one's address never helps.
func (a Access) Explain(s Subject) (Decision, []Trace) {
	decision := Decision{Deny: true, Reason: NoRuleMatches}
	trace := make([]Trace, len(a.Rules))
	var uncertain []Decision
	decided := false
	for i, r := range a.Rules {
		trace[i] = Trace{Rule: r.Name, Reason: NotReached}
		if decided {
			continue
		}
		trace[i].Reason = r.matches(s)
		switch d := r.decision(trace[i].Reason); {
		case d.Reason == Matches, d.Reason == NothingToProve, d.Reason == AddressUnknown && d.Deny:
			decision, decided = d, true
		case d.Reason == AddressUnknown:
			uncertain = append(uncertain, d)
		}
	}
	if !decision.Deny {
		for _, d := range uncertain {
			decision.Require = mergeRequired(decision.Require, d.Require)
			steps, any := commonSteps(decision.Steps, d.Steps)
			if !any {
				return Decision{Deny: true, Reason: AddressUnknown}, trace
			}
			decision.Steps, decision.Remember = steps, decision.Remember && d.Remember
			if d.MaxAge > 0 && (decision.MaxAge == 0 || d.MaxAge < decision.MaxAge) {
				decision.MaxAge = d.MaxAge
			}
		}
	}
	return decision, trace
}

// AsksPassword reports whether logins to an application from an address ask for
// a password before the name is looked up. They do if any rule that could decide
// there requires a password, whatever its groups. Otherwise the pages would
// reveal which names exist and which groups they are in (JRN-10).
func (a Access) AsksPassword(application string, address netip.Addr) bool {
	return a.asks(identity.Password, application, address)
}

// AsksPasswordOf reports whether a member of these groups is asked for a
// password anywhere: by any rule that could decide, whatever its applications
// and networks. It ignores these because an authenticator works for all of them.
func (a Access) AsksPasswordOf(groups []string) bool {
	for _, r := range a.Rules {
		member := len(r.Groups) == 0 || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.Groups, g) })
		if member && slices.Contains(r.Require, identity.Password) {
			return true
		}
	}
	return false
}

// AsksSecondFactor is like AsksPassword, for the second factor.
func (a Access) AsksSecondFactor(application string, address netip.Addr) bool {
	return a.asks(identity.SecondFactor, application, address)
}

func (a Access) asks(v identity.Validation, application string, address netip.Addr) bool {
	return slices.Contains(a.RequiresOfAnybody(application, address), v)
}

// RequiresOfAnybody returns what logins to an application from an address can require
// of any user, in the order in which it is asked for: all that any rule requires that
// could decide there, whatever its groups.
func (a Access) RequiresOfAnybody(application string, address netip.Addr) (all []identity.Validation) {
	for d := range a.possibleDecisions(application, address) {
		all = mergeRequired(all, d.Require)
	}
	return all
}

// OffersStep reports whether logins to an application from an address offer a
// step before the user is known. They do if any rule that could decide there
// requires a second factor and offers the step.
func (a Access) OffersStep(step identity.FactorStep, application string, address netip.Addr) bool {
	for d := range a.possibleDecisions(application, address) {
		if slices.Contains(d.Require, identity.SecondFactor) && Offers(d.Steps, step) {
			return true
		}
	}
	return false
}

// possibleDecisions yields the decisions of all rules that could decide about
// any user in logins to an application from an address.
func (a Access) possibleDecisions(application string, address netip.Addr) iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for _, r := range a.Rules {
			// A member of all the rule's groups is someone it could decide about.
			d := r.decision(r.matches(Subject{Groups: r.Groups, Application: application, Address: address}))
			if d.Reason != Matches && d.Reason != AddressUnknown && d.Reason != NothingToProve {
				continue
			}
			if !yield(d) {
				return
			}
			if len(r.Groups) == 0 && (d.Deny || d.Reason == Matches) {
				return // it decides about everybody, so no later rule is reached
			}
		}
	}
}

// matches returns Matches, or why the rule does not match a login.
func (r Rule) matches(s Subject) Reason {
	switch {
	case len(r.Applications) > 0 && !slices.Contains(r.Applications, s.Application):
		return OtherApplication
	case len(r.Groups) > 0 && !slices.ContainsFunc(s.Groups, func(g string) bool { return slices.Contains(r.Groups, g) }):
		return OtherGroups
	case len(r.Networks) == 0:
		return Matches
	case !s.Address.IsValid():
		return AddressUnknown
	}
	// Prefix.Contains is false for IPv4-mapped IPv6 addresses and for addresses
	// with a zone. Neither must evade a deny rule.
	address := s.Address.Unmap().WithZone("")
	if slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(address) }) {
		return Matches
	}
	return OtherNetwork
}

// decision returns the rule's decision for a login that matches for this reason.
func (r Rule) decision(why Reason) Decision {
	switch {
	case r.Deny:
		return Decision{Rule: r.Name, Deny: true, Reason: why}
	case why == Matches && len(r.Require) == 0:
		return Decision{Rule: r.Name, Deny: true, Reason: NothingToProve}
	}
	return Decision{Rule: r.Name, Require: mergeRequired(r.Require, nil), MaxAge: r.MaxAge, Steps: r.Steps, Remember: r.Remember, Reason: why}
}

// mergeRequired returns the union of both lists, in the order in which it is
// asked for. An unknown validation stays, at the end: nobody can pass it, so
// access stays denied.
func mergeRequired(a, b []identity.Validation) []identity.Validation {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y identity.Validation) int { return requireOrder(x) - requireOrder(y) })
	return slices.Compact(all)
}

// requireOrder returns the position of a validation in validations, or their number
// if it is unknown.
func requireOrder(v identity.Validation) int {
	if i := slices.Index(validations, v); i >= 0 {
		return i
	}
	return len(validations)
}

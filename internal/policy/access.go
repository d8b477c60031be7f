package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Access says who may log in to what, from where, and what they must prove
// (JRN-7). The rules are tried in their order; the first that matches decides,
// and if none does the login is denied.
type Access struct {
	Rules []Rule `json:"rules"`
}

// A Rule matches a login by group, application and network: whatever it names
// none of, it does not look at.
type Rule struct {
	Name         string                `json:"name"`
	Groups       []string              `json:"groups,omitempty"`       // ids; a member of any
	Applications []string              `json:"applications,omitempty"` // ids
	Networks     []netip.Prefix        `json:"networks,omitempty"`
	Deny         bool                  `json:"deny,omitempty"`
	Require      []identity.Validation `json:"require,omitempty"`
	MaxAge       int64                 `json:"max_age,omitempty"`  // seconds since the login; 0 is no limit
	Remember     bool                  `json:"remember,omitempty"` // devices may be remembered, and count as [Devices] says (JRN-9)

	// Steps is the journey definition: by which steps a one-time password is
	// proved, in the order in which they are offered. None named are all.
	Steps []identity.FactorStep `json:"steps,omitempty"`
}

// validations are those a rule can require, in the order in which they are asked.
var validations = []identity.Validation{identity.Password, identity.SecondFactor, identity.VerifiedPasskey}

// DefaultAccess asks everybody for a password and a one-time password.
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
	maxMaxAge = 365 * 24 * 3600
)

// Validate reports all that is wrong. A rule that neither denies nor asks for
// anything is wrong: it would let in whoever types a name.
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
		ps.names(at+"groups", r.Groups)
		ps.names(at+"applications", r.Applications)
		for j, n := range r.Networks {
			// One with bits behind the mask, or an IPv4 network in IPv6's
			// clothes, was meant as something else than it says.
			if plain := netip.PrefixFrom(n.Addr().Unmap(), n.Bits()).Masked(); n != plain {
				example := "192.0.2.0/24"
				if plain.IsValid() {
					example = plain.String()
				}
				ps.add(fmt.Sprintf("%snetworks[%d]", at, j), "network", "nearest", example)
			}
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
			ps.add(at+"require", "passkey") // the page before it asks for one, and what stands in its place
		}
		ps.within(at+"max_age", r.MaxAge, 0, maxMaxAge)
		if r.Remember && !(slices.Contains(r.Require, identity.Password) && slices.Contains(r.Require, identity.SecondFactor)) {
			ps.add(at+"remember", "remember") // it follows a password, and stands for a one-time password
		}
		r.checkSteps(&ps, at)
	}
	return ps.err()
}

// A Subject is a login to be decided: whose, to what, from where. A name that
// is nobody's has no groups; an address nobody knows is the zero Addr.
type Subject struct {
	Groups      []string
	Application string
	Address     netip.Addr
}

// A Decision is what Access says about a Subject. Read Deny first: the rest
// means something only where it is false.
type Decision struct {
	Rule    string // the name of the rule that decided; empty if none matched
	Deny    bool
	Require []identity.Validation // in the order in which they are asked
	MaxAge  int64                 // seconds; 0 is no limit
	Reason  Reason
	Steps   []identity.FactorStep // by which a one-time password may be proved; none are all

	Remember bool // a remembered device may stand for the one-time password
}

// A Trace says of one rule why it decided, or why not.
type Trace struct {
	Rule   string
	Reason Reason
}

// A Reason says why something was decided, in a word that logs, events and the
// command line show.
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

// Explain returns the decision on a login, and of every rule why it decided or
// why not.
//
// An unknown address may be in any network. So every rule that names networks
// and else matches may be the right one, and the decision is the strictest
// there could be: one that denies, denies; what the others ask is asked besides
// what the rule asks that matches anyway, by steps that all of them offer. Hiding one's address never helps.
func (a Access) Explain(s Subject) (Decision, []Trace) {
	decision := Decision{Deny: true, Reason: NoRuleMatches}
	trace := make([]Trace, len(a.Rules))
	var besides []Decision
	decided := false
	for i, r := range a.Rules {
		trace[i] = Trace{Rule: r.Name, Reason: NotReached}
		if decided {
			continue
		}
		trace[i].Reason = r.fits(s)
		switch d := r.decision(trace[i].Reason); {
		case d.Reason == Matches, d.Reason == NothingToProve, d.Reason == AddressUnknown && d.Deny:
			decision, decided = d, true
		case d.Reason == AddressUnknown:
			besides = append(besides, d)
		}
	}
	if !decision.Deny {
		for _, d := range besides {
			decision.Require = ordered(decision.Require, d.Require)
			steps, any := narrower(decision.Steps, d.Steps)
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

// AsksPassword reports whether a password is asked of every name in logins to
// an application from an address, before anybody looks whose name it is: if any
// rule that could decide there asks for one, whatever its groups. Else the pages
// shown would tell which names exist, and who is in which group (JRN-10).
func (a Access) AsksPassword(application string, address netip.Addr) bool {
	return a.asks(identity.Password, application, address)
}

// AsksPasswordOf reports whether a member of these groups is asked for a
// password anywhere: by any rule that could decide, whatever its applications
// and networks. An authenticator is good for all of them.
func (a Access) AsksPasswordOf(groups []string) bool {
	for _, r := range a.Rules {
		fits := len(r.Groups) == 0 || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.Groups, g) })
		if fits && slices.Contains(r.Require, identity.Password) {
			return true
		}
	}
	return false
}

// AsksSecondFactor reports the same of the one-time password.
func (a Access) AsksSecondFactor(application string, address netip.Addr) bool {
	return a.asks(identity.SecondFactor, application, address)
}

func (a Access) asks(v identity.Validation, application string, address netip.Addr) bool {
	for d := range a.deciding(application, address) {
		if slices.Contains(d.Require, v) {
			return true
		}
	}
	return false
}

// OffersStep reports whether a step is offered to anybody in logins to an
// application from an address, before it is known to whom: by any rule that could
// decide there and asks for a one-time password.
func (a Access) OffersStep(step identity.FactorStep, application string, address netip.Addr) bool {
	for d := range a.deciding(application, address) {
		if slices.Contains(d.Require, identity.SecondFactor) && Offers(d.Steps, step) {
			return true
		}
	}
	return false
}

// deciding yields what each rule decides that could decide about anybody in
// logins to an application from an address.
func (a Access) deciding(application string, address netip.Addr) iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for _, r := range a.Rules {
			// Somebody in all its groups is whom the rule could decide about.
			d := r.decision(r.fits(Subject{Groups: r.Groups, Application: application, Address: address}))
			if d.Reason != Matches && d.Reason != AddressUnknown && d.Reason != NothingToProve {
				continue
			}
			if !yield(d) {
				return
			}
			if len(r.Groups) == 0 && (d.Deny || d.Reason == Matches) {
				return // it decides about everybody; no later rule is reached
			}
		}
	}
}

// fits compares a rule with a login.
func (r Rule) fits(s Subject) Reason {
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
	// A prefix contains neither an IPv4 address mapped into IPv6 nor one with
	// a zone; a deny rule must not be dodged by either.
	address := s.Address.Unmap().WithZone("")
	if slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(address) }) {
		return Matches
	}
	return OtherNetwork
}

// decision is what the rule says to those whom it fits for a reason.
func (r Rule) decision(why Reason) Decision {
	switch {
	case r.Deny:
		return Decision{Rule: r.Name, Deny: true, Reason: why}
	case why == Matches && len(r.Require) == 0:
		return Decision{Rule: r.Name, Deny: true, Reason: NothingToProve}
	}
	return Decision{Rule: r.Name, Require: ordered(r.Require, nil), MaxAge: r.MaxAge, Steps: r.Steps, Remember: r.Remember, Reason: why}
}

// ordered returns what is in either list, once and in the order in which it is
// asked. A validation nobody can pass stays, at the end: it keeps the door shut.
func ordered(a, b []identity.Validation) []identity.Validation {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y identity.Validation) int { return place(x) - place(y) })
	return slices.Compact(all)
}

func place(v identity.Validation) int {
	if i := slices.Index(validations, v); i >= 0 {
		return i
	}
	return len(validations)
}

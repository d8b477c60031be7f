package journey

import (
	"cmp"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// Authentication contexts, one table for both protocols (JRN-8).
const (
	// AnyContext promises nothing.
	AnyContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	// PasswordContext is reached by a password over TLS.
	PasswordContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	// MFAContext is reached by any two factors, and by a passkey that verified its
	// user, which is two in one.
	MFAContext = "https://refeds.org/profile/mfa"
	// PhishingResistantContext is reached by such a passkey alone (OpenID Extended
	// Authentication Profile ACR Values, section 2).
	PhishingResistantContext = "phr"
)

// Contexts lists those every tenant has, weakest first.
var Contexts = []string{AnyContext, PasswordContext, MFAContext, PhishingResistantContext}

// A Comparison is how what is reached may differ from what was asked for (SAML
// core, section 3.3.2.2.1).
type Comparison string

const (
	Exact   Comparison = "exact"
	Minimum Comparison = "minimum"
	Better  Comparison = "better"
	Maximum Comparison = "maximum"
)

// A strength of contexts is what comparisons go by.
type strength int

const (
	nothing strength = iota
	oneFactor
	twoFactors
	phishingResistant
)

// A class is a context that may be asked for.
type contextClass struct {
	name     string
	strength strength
	proves   []identity.Validation // that must be passed, and by no remembered device
}

var mfa = contextClass{MFAContext, twoFactors, []identity.Validation{identity.Password, identity.SecondFactor}}

// contextClasses lists all there are, weakest first, the tenant's own after the others of
// their strength.
func (r Rules) contextClasses() []contextClass {
	all := []contextClass{
		{AnyContext, nothing, nil},
		{PasswordContext, oneFactor, []identity.Validation{identity.Password}},
		mfa,
		{PhishingResistantContext, phishingResistant, []identity.Validation{identity.Password, identity.VerifiedPasskey}},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Contexts.Names)) {
		c := contextClass{name, oneFactor, r.Contexts.Names[name]}
		if len(c.proves) > 1 {
			c.strength = twoFactors
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b contextClass) int { return cmp.Compare(a.strength, b.strength) })
	return all
}

// Acceptable lists the contexts that satisfy a request, best first, and reports
// whether one of them can be reached; a request that names none always is.
func (r Rules) Acceptable(names []string, how Comparison) (acr []string, reachable bool) {
	acr = r.acceptable(names, how)
	_, reachable = r.asked(acr)
	return acr, reachable && (len(acr) > 0 || len(names) == 0)
}

// acceptable lists them: none if no context asked for is known. Only what is
// compared is widened by others, and never by one whose name is no URI, as
// comparisons are SAML's and names there are.
func (r Rules) acceptable(names []string, how Comparison) []string {
	all := r.contextClasses()
	var asked []contextClass
	for _, name := range names {
		if i := slices.IndexFunc(all, func(c contextClass) bool { return c.name == name }); i >= 0 {
			asked = append(asked, all[i])
		}
	}
	if len(asked) == 0 {
		return nil
	}
	weaker := func(a, b contextClass) int { return cmp.Compare(a.strength, b.strength) }
	weakest, strongest := slices.MinFunc(asked, weaker).strength, slices.MaxFunc(asked, weaker).strength
	fits := map[Comparison]func(s strength) bool{
		Minimum: func(s strength) bool { return s >= weakest },
		Better:  func(s strength) bool { return s > strongest },
		Maximum: func(s strength) bool { return s <= strongest },
	}[how]
	if how == "" || how == Exact {
		return namesOf(asked)
	}
	if fits == nil {
		return nil
	}
	fitting := slices.DeleteFunc(all, func(c contextClass) bool { return !fits(c.strength) || c.name == PhishingResistantContext })
	slices.SortStableFunc(fitting, func(a, b contextClass) int { return weaker(b, a) })
	return namesOf(fitting)
}

// Supported lists the contexts that can be reached by who asks for them, weakest
// first.
func (r Rules) Supported() []string {
	return namesOf(slices.DeleteFunc(r.contextClasses(), func(c contextClass) bool {
		_, reachable := r.asked([]string{c.name})
		return !reachable
	}))
}

func namesOf(all []contextClass) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	return names
}

// asked returns what must be required besides policy so that one of the
// contexts asked for is reached: the least of them that can be reached at all.
// It reports false if there is none; nothing asked for is always reached.
func (r Rules) asked(contexts []string) ([]identity.Validation, bool) {
	if len(contexts) == 0 {
		return nil, true
	}
	for _, c := range r.contextClasses() {
		if slices.Contains(contexts, c.name) && (c.strength != phishingResistant || r.Credentials.Passkeys != policy.NoPasskeys) {
			return slices.Clone(c.proves), true
		}
	}
	return nil, false
}

// asksFactor reports whether the contexts asked for want a second factor given,
// for which a remembered device does not stand.
func (r Rules) asksFactor(contexts []string) bool {
	need, _ := r.asked(contexts)
	return slices.Contains(need, identity.SecondFactor) || slices.Contains(need, identity.VerifiedPasskey)
}

// reached reports whether what was passed satisfies a context. A passkey that
// verified its user is two factors, whatever else was passed.
func (c contextClass) reached(passed []identity.CompletedFactor) bool {
	verified := slices.ContainsFunc(passed, func(p identity.CompletedFactor) bool { return p.Method == identity.ByVerifiedPasskey })
	if c.strength == phishingResistant || c.name == MFAContext && verified {
		return verified
	}
	for _, v := range c.proves {
		if !slices.ContainsFunc(passed, func(p identity.CompletedFactor) bool {
			return p.Validation == v && p.Method != identity.ByRememberedDevice
		}) {
			return false
		}
	}
	return true
}

// Reached returns the authentication context that a journey has reached: the
// first of those asked for that what was passed satisfies, else the strongest
// that every tenant has. SAML is told none whose name is no URI unless it asked.
func (r Rules) Reached(j *identity.Journey) string {
	all := r.contextClasses()
	for _, name := range j.ACR {
		i := slices.IndexFunc(all, func(c contextClass) bool { return c.name == name })
		if i >= 0 && all[i].reached(j.Passed) {
			return name
		}
	}
	for _, c := range slices.Backward(all) {
		if !slices.Contains(Contexts, c.name) || c.name == PhishingResistantContext && j.Protocol == identity.SAML {
			continue
		}
		if c.reached(j.Passed) {
			return c.name
		}
	}
	return AnyContext
}

// methods are the authentication methods of RFC 8176, section 2, by how a
// validation was passed. Of a passkey nobody attests where its key lies: it is
// told as one in software, which claims the less. A remembered device is none.
var methods = map[identity.Method][]string{
	identity.ByPassword:        {"pwd"},
	identity.ByPasscode:        {"otp"},
	identity.ByChallenge:       {"otp"},
	identity.ByRecoveryCode:    {"otp"},
	identity.ByPush:            {"swk", "user"},
	identity.ByPasskey:         {"swk", "user"},
	identity.ByVerifiedPasskey: {"swk", "user"},
}

// References returns the authentication methods of what was passed, and mfa where
// that was two factors.
func References(passed []identity.CompletedFactor) []string {
	var amr []string
	for _, p := range passed {
		for _, method := range methods[p.Method] {
			if !slices.Contains(amr, method) {
				amr = append(amr, method)
			}
		}
	}
	if mfa.reached(passed) {
		amr = append(amr, "mfa")
	}
	return amr
}

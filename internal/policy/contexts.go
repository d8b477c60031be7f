package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Contexts are a tenant's own names of authentication contexts, beside those
// every tenant has: what applications may ask for, and be told, by SAML's
// RequestedAuthnContext and OpenID Connect's acr_values (JRN-8).
type Contexts struct {
	Names map[string][]identity.Validation `json:"names"` // what must be proved for each
}

// DefaultContexts has none.
func DefaultContexts() Contexts { return Contexts{Names: map[string][]identity.Validation{}} }

// Kind returns KindContexts.
func (Contexts) Kind() Kind { return KindContexts }

// ReservedContexts are the names that mean the same everywhere. A tenant's own
// must not take one: an application would be told of a second factor there was
// none of.
var ReservedContexts = []string{
	"urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
	"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
	"https://refeds.org/profile/mfa",
	"phr", "phrh", // OpenID Extended Authentication Profile ACR Values, section 2
}

const maxContexts = 50

// Validate reports all that is wrong. A name is one word, since acr_values are
// parted by blanks.
func (c Contexts) Validate() error {
	var ps Problems
	if len(c.Names) > maxContexts {
		ps.add("names", "length", "most", maxContexts)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Names)) {
		field := "names." + name
		switch {
		case name == "":
			ps.add(field, "missing")
		case len(name) > identity.MaxName:
			ps.add(field, "length", "most", identity.MaxName)
		case slices.ContainsFunc([]rune(name), func(r rune) bool { return r <= ' ' || r > '~' }), slices.Contains(ReservedContexts, name):
			ps.add(field, "context")
		}
		if len(c.Names[name]) == 0 {
			ps.add(field, "missing")
		}
		for i, v := range c.Names[name] {
			at := fmt.Sprintf("%s[%d]", field, i)
			oneOf(&ps, at, v, validations...)
			if slices.Contains(c.Names[name][:i], v) {
				ps.add(at, "twice")
			}
		}
	}
	return ps.err()
}

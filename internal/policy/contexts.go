package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Contexts are a tenant's own authentication contexts, in addition to the
// predefined ones. Applications request them, and are told of them, by SAML's
// RequestedAuthnContext and OpenID Connect's acr_values (JRN-8).
type Contexts struct {
	Names map[string][]identity.Validation `json:"names"` // what each context requires
}

// DefaultContexts returns no contexts.
func DefaultContexts() Contexts { return Contexts{Names: map[string][]identity.Validation{}} }

// Kind returns KindContexts.
func (Contexts) Kind() Kind { return KindContexts }

// ReservedContexts are predefined names with a fixed meaning. A tenant must not
// define them: an application could be told of a second factor that was never
// proved.
var ReservedContexts = []string{
	"urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
	"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
	"https://refeds.org/profile/mfa",
	"phr", "phrh", // OpenID Extended Authentication Profile ACR Values, section 2
}

const maxContexts = 50

// Validate reports everything that is wrong. A name must not contain blanks,
// because acr_values is a blank-separated list.
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

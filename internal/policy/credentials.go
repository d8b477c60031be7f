package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// What passkeys are for (CRED-19).
const (
	NoPasskeys   = "off"
	SecondFactor = "second-factor" // after a password
	Passwordless = "passwordless"  // that too, and in its place
)

// Credentials says which means of login a tenant's users may have, and how many.
type Credentials struct {
	// Kinds are those of authenticators that make passcodes which people may get from
	// now on: app, totp, hotp. Those that exist stay, but no push goes to an app where
	// apps are not among them (CRED-1).
	Kinds         []identity.AuthenticatorKind `json:"kinds"`
	Passkeys      string                       `json:"passkeys"`
	RecoveryCodes bool                         `json:"recovery_codes"` // whether people may have some
	Most          int64                        `json:"most"`           // authenticators that a user may have
	Shared        bool                         `json:"shared"`         // whether a hardware token may be given to more than one user
	UnusedDays    int64                        `json:"unused_days"`    // after which one that is not used becomes inactive; 0 is never
}

// DefaultCredentials has passkeys as a second factor and five authenticators at
// most, which stay however long they are not used.
func DefaultCredentials() Credentials {
	return Credentials{Kinds: slices.Clone(makers), Passkeys: SecondFactor, RecoveryCodes: true, Most: 5}
}

// makers are the kinds of authenticators that make passcodes.
var makers = []identity.AuthenticatorKind{identity.AppToken, identity.TOTP, identity.HOTP}

// Allows reports whether people may get authenticators of a kind.
func (c Credentials) Allows(kind identity.AuthenticatorKind) bool {
	return slices.Contains(c.Kinds, kind)
}

// Narrow returns of what may be enrolled, and how, what these kinds leave: no
// platform without apps, and no other vendor's app without TOTP.
func (c Credentials) Narrow(p Platforms, s SelfProvisioning) (Platforms, SelfProvisioning) {
	if !c.Allows(identity.AppToken) {
		p = Platforms{}
	}
	s.ThirdParty = s.ThirdParty && c.Allows(identity.TOTP)
	return p, s
}

// Unused is after how long without use an authenticator becomes inactive; 0 is
// never.
func (c Credentials) Unused() time.Duration { return time.Duration(c.UnusedDays) * day }

// Kind returns KindCredentials.
func (Credentials) Kind() Kind { return KindCredentials }

// Validate reports all that is wrong.
func (c Credentials) Validate() error {
	var ps Problems
	for i, kind := range c.Kinds {
		at := fmt.Sprintf("kinds[%d]", i)
		oneOf(&ps, at, kind, makers...)
		if slices.Contains(c.Kinds[:i], kind) {
			ps.add(at, "twice")
		}
	}
	oneOf(&ps, "passkeys", c.Passkeys, NoPasskeys, SecondFactor, Passwordless)
	ps.within("most", c.Most, 1, 100)
	if c.UnusedDays != 0 {
		ps.within("unused_days", c.UnusedDays, 15, 365)
	}
	return ps.err()
}

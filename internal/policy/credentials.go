package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Values of Credentials.Passkeys: what passkeys may be used for (CRED-19).
const (
	NoPasskeys   = "off"
	SecondFactor = "second-factor" // after a password
	Passwordless = "passwordless"  // after a password, and instead of one
)

// Credentials says which credentials a tenant's users may have, and how many.
type Credentials struct {
	// Kinds lists the kinds of passcode authenticators that users may enrol from
	// now on: app, totp, hotp. Existing ones remain, but apps get no push while
	// the app kind is not listed (CRED-1).
	Kinds             []identity.AuthenticatorKind `json:"kinds"`
	Passkeys          string                       `json:"passkeys"`
	RecoveryCodes     bool                         `json:"recovery_codes"` // users may have recovery codes
	MaxAuthenticators int64                        `json:"most"`           // per user
	Shared            bool                         `json:"shared"`         // a hardware token may belong to more than one user
	UnusedDays        int64                        `json:"unused_days"`    // days without use after which an authenticator becomes inactive; 0 means never
}

// DefaultCredentials allows all kinds, passkeys as a second factor and five
// authenticators, which never become inactive.
func DefaultCredentials() Credentials {
	return Credentials{Kinds: slices.Clone(passcodeKinds), Passkeys: SecondFactor, RecoveryCodes: true, MaxAuthenticators: 5}
}

// passcodeKinds are the kinds of authenticators that make passcodes.
var passcodeKinds = []identity.AuthenticatorKind{identity.AppToken, identity.TOTP, identity.HOTP}

// Allows reports whether users may enrol authenticators of a kind.
func (c Credentials) Allows(kind identity.AuthenticatorKind) bool {
	return slices.Contains(c.Kinds, kind)
}

// Restrict removes from what may be enrolled, and how, what these kinds do not
// allow: all platforms without apps, and other vendors' apps without TOTP.
func (c Credentials) Restrict(p Platforms, s SelfProvisioning) (Platforms, SelfProvisioning) {
	if !c.Allows(identity.AppToken) {
		p = Platforms{}
	}
	s.ThirdParty = s.ThirdParty && c.Allows(identity.TOTP)
	return p, s
}

// UnusedPeriod returns the time without use after which an authenticator becomes
// inactive; 0 means never.
func (c Credentials) UnusedPeriod() time.Duration { return time.Duration(c.UnusedDays) * day }

// Kind returns KindCredentials.
func (Credentials) Kind() Kind { return KindCredentials }

// Validate reports everything that is wrong.
func (c Credentials) Validate() error {
	var ps Problems
	for i, kind := range c.Kinds {
		at := fmt.Sprintf("kinds[%d]", i)
		oneOf(&ps, at, kind, passcodeKinds...)
		if slices.Contains(c.Kinds[:i], kind) {
			ps.add(at, "twice")
		}
	}
	oneOf(&ps, "passkeys", c.Passkeys, NoPasskeys, SecondFactor, Passwordless)
	ps.inRange("most", c.MaxAuthenticators, 1, 100)
	if c.UnusedDays != 0 {
		ps.inRange("unused_days", c.UnusedDays, 15, 365)
	}
	return ps.err()
}

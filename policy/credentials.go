package policy

import "time"

// What passkeys are for (CRED-19).
const (
	NoPasskeys   = "off"
	SecondFactor = "second-factor" // after a password
	Passwordless = "passwordless"  // that too, and in its place
)

// Credentials says which means of login a tenant's users may have, and how many.
type Credentials struct {
	Passkeys      string `json:"passkeys"`
	RecoveryCodes bool   `json:"recovery_codes"` // whether people may have some
	Most          int64  `json:"most"`           // authenticators that a user may have
	UnusedDays    int64  `json:"unused_days"`    // after which one that is not used becomes inactive; 0 is never
}

// DefaultCredentials has passkeys as a second factor and five authenticators at
// most, which stay however long they are not used.
func DefaultCredentials() Credentials {
	return Credentials{Passkeys: SecondFactor, RecoveryCodes: true, Most: 5}
}

// Unused is after how long without use an authenticator becomes inactive; 0 is
// never.
func (c Credentials) Unused() time.Duration { return time.Duration(c.UnusedDays) * day }

// Kind returns KindCredentials.
func (Credentials) Kind() Kind { return KindCredentials }

// Validate reports all that is wrong.
func (c Credentials) Validate() error {
	var ps Problems
	oneOf(&ps, "passkeys", c.Passkeys, NoPasskeys, SecondFactor, Passwordless)
	ps.within("most", c.Most, 1, 100)
	if c.UnusedDays != 0 {
		ps.within("unused_days", c.UnusedDays, 15, 365)
	}
	return ps.err()
}

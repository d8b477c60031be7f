package policy

// What passkeys are for (CRED-19).
const (
	NoPasskeys   = "off"
	SecondFactor = "second-factor" // after a password
	Passwordless = "passwordless"  // that too, and in its place
)

// Credentials says which means of login a tenant's users may have besides
// authenticators that make passcodes.
type Credentials struct {
	Passkeys string `json:"passkeys"`
}

// DefaultCredentials has passkeys as a second factor.
func DefaultCredentials() Credentials { return Credentials{Passkeys: SecondFactor} }

// Kind returns KindCredentials.
func (Credentials) Kind() Kind { return KindCredentials }

// Validate reports all that is wrong.
func (c Credentials) Validate() error {
	var ps Problems
	oneOf(&ps, "passkeys", c.Passkeys, NoPasskeys, SecondFactor, Passwordless)
	return ps.err()
}

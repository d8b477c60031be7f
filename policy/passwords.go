package policy

// Passwords says what the passwords are like that users choose from now on.
// Those that exist stay (NIST SP 800-63B, section 3.1.1.2: no rules of
// composition, no change without a reason).
type Passwords struct {
	Least int64 `json:"least"` // characters
	Known bool  `json:"known"` // whether ones that many people choose, or that were in a breach, are allowed
}

// DefaultPasswords are of eight characters, which is the least beside a second
// factor; where a password is all there is, fifteen.
func DefaultPasswords() Passwords { return Passwords{Least: 8} }

// Kind returns KindPasswords.
func (Passwords) Kind() Kind { return KindPasswords }

// Validate reports all that is wrong.
func (p Passwords) Validate() error {
	var ps Problems
	ps.within("least", p.Least, 8, 64)
	return ps.err()
}

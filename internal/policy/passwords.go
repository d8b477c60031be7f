package policy

import "time"

// Passwords says what passwords users may choose from now on, and how they
// replace one. Existing passwords remain valid (NIST SP 800-63B, section 3.1.1.2:
// no composition rules, no change without a reason).
type Passwords struct {
	MinLength   int64 `json:"least"`       // characters
	AllowCommon bool  `json:"known"`       // passwords that many people choose, or that were in a breach, are allowed
	ExpireDays  int64 `json:"expire_days"` // days after which a password is changed in the login; 0 means never
	Reset       bool  `json:"reset"`       // a forgotten password can be replaced by a mailed code and a second factor
}

// DefaultPasswords requires eight characters, the minimum beside a second
// factor. Where a password is the only factor, the minimum is fifteen.
func DefaultPasswords() Passwords { return Passwords{MinLength: 8, Reset: true} }

// Kind returns KindPasswords.
func (Passwords) Kind() Kind { return KindPasswords }

// Validate reports everything that is wrong.
func (p Passwords) Validate() error {
	var ps Problems
	ps.inRange("least", p.MinLength, 8, 64)
	ps.inRange("expire_days", p.ExpireDays, 0, 3650)
	return ps.err()
}

// Expired reports whether a password that was chosen at one time must be changed at another.
func (p Passwords) Expired(chosen, now time.Time) bool {
	return p.ExpireDays > 0 && now.Sub(chosen) >= time.Duration(p.ExpireDays)*24*time.Hour
}

package policy

import "time"

// Passwords says what the passwords are like that users choose from now on, and
// how they come by a new one. Those that exist stay (NIST SP 800-63B, section
// 3.1.1.2: no rules of composition, no change without a reason).
type Passwords struct {
	Least      int64 `json:"least"`       // characters
	Known      bool  `json:"known"`       // whether ones that many people choose, or that were in a breach, are allowed
	ExpireDays int64 `json:"expire_days"` // after which one is changed in the login; 0 is never
	Reset      bool  `json:"reset"`       // whether a forgotten one can be set anew, by a mailed code and a second factor
}

// DefaultPasswords are of eight characters, which is the least beside a second
// factor; where a password is all there is, fifteen.
func DefaultPasswords() Passwords { return Passwords{Least: 8, Reset: true} }

// Kind returns KindPasswords.
func (Passwords) Kind() Kind { return KindPasswords }

// Validate reports all that is wrong.
func (p Passwords) Validate() error {
	var ps Problems
	ps.within("least", p.Least, 8, 64)
	ps.within("expire_days", p.ExpireDays, 0, 3650)
	return ps.err()
}

// Expired reports whether a password chosen at one time must be changed at another.
func (p Passwords) Expired(chosen, now time.Time) bool {
	return p.ExpireDays > 0 && now.Sub(chosen) >= time.Duration(p.ExpireDays)*24*time.Hour
}

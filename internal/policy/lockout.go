package policy

import "time"

// A CountBy says what wrong passcodes are counted against.
type CountBy string

const (
	CountByAuthenticator CountBy = "authenticator" // each active authenticator of the user (CRED-11)
	CountByUser          CountBy = "user"          // the user only, so that using one authenticator locks no other (CRED-12)
)

// Lockout says how many failures lock, and how far ahead of its counter an HOTP
// passcode may be. There are two counts with different limits. A user's failed
// logins lock when they exceed the threshold (CRED-20). An authenticator's wrong
// passcodes lock when they reach the limit (CRED-11).
type Lockout struct {
	Threshold         int64   `json:"threshold"`    // consecutive failed logins; 0 switches this lock off
	Period            int64   `json:"period"`       // seconds for which a user's logins stay locked
	MaxWrongPasscodes int64   `json:"passcodes"`    // consecutive wrong passcodes
	Count             CountBy `json:"count"`        // what wrong passcodes are counted against
	UnlockAfter       int64   `json:"unlock_after"` // seconds after which an authenticator locked by them unlocks; 0 means never
	LookAhead         int64   `json:"look_ahead"`   // passcodes of an HOTP authenticator that may be skipped (CRED-10)
	NotifyUser        bool    `json:"notify_user"`
	NotifyOperators   bool    `json:"notify_operators"`
}

// DefaultLockout locks a user for 15 minutes at the sixth failed login and an
// authenticator at the tenth wrong passcode, notifies the user, and lets three
// HOTP passcodes be skipped.
func DefaultLockout() Lockout {
	return Lockout{Threshold: 5, Period: 15 * 60, MaxWrongPasscodes: 10, Count: CountByAuthenticator, LookAhead: 3, NotifyUser: true}
}

// Kind returns KindLockout.
func (Lockout) Kind() Kind { return KindLockout }

// Validate reports everything that is wrong.
func (l Lockout) Validate() error {
	var ps Problems
	ps.inRange("threshold", l.Threshold, 0, 100)
	ps.inRange("period", l.Period, 60, 24*3600)
	ps.inRange("passcodes", l.MaxWrongPasscodes, 3, 50)
	oneOf(&ps, "count", l.Count, CountByAuthenticator, CountByUser)
	if l.UnlockAfter != 0 { // at five minutes, an attacker who keeps guessing succeeds with a probability of 1 % a day
		ps.inRange("unlock_after", l.UnlockAfter, 5*60, 7*24*3600)
	}
	ps.inRange("look_ahead", l.LookAhead, 0, 10) // each skipped passcode is one more that a guess can hit
	return ps.err()
}

// LocksUser reports whether this number of consecutive failed logins locks a user.
func (l Lockout) LocksUser(failures int64) bool {
	return l.Threshold > 0 && failures > l.Threshold
}

// LocksAuthenticator reports whether this number of consecutive wrong passcodes
// locks an authenticator.
func (l Lockout) LocksAuthenticator(wrong int64) bool { return wrong >= l.MaxWrongPasscodes }

// passcodeLockDurations are the durations of a user's passcode lock: for the
// first lock, and for each further lock without a right passcode between (CRED-12).
var passcodeLockDurations = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// PasscodeLockDuration returns for how long a user's passcodes are locked. before
// is the number of such locks since the last right passcode.
func (l Lockout) PasscodeLockDuration(before int64) time.Duration {
	return passcodeLockDurations[min(max(before, 0), int64(len(passcodeLockDurations)-1))]
}

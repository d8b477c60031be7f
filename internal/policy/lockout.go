package policy

import "time"

// A Count is what wrong passcodes are counted against.
type Count string

const (
	CountAuthenticators Count = "authenticator" // each of the user's that is active (CRED-11)
	CountUsers          Count = "user"          // the user alone: no authenticator locks through use of another (CRED-12)
)

// Lockout says when failures lock, and how far a passcode may be ahead before
// it is one. There are two counts, and they lock at different points: a user's
// failed logins lock when they exceed the threshold (CRED-20), an
// authenticator's wrong passcodes when they reach the limit (CRED-11).
type Lockout struct {
	Threshold       int64 `json:"threshold"`    // failed logins in a row; 0 is off
	Period          int64 `json:"period"`       // seconds a user's logins stay locked
	Passcodes       int64 `json:"passcodes"`    // wrong passcodes in a row
	Count           Count `json:"count"`        // what they are counted against
	UnlockAfter     int64 `json:"unlock_after"` // seconds after which an authenticator that they locked unlocks by itself; 0 is never
	LookAhead       int64 `json:"look_ahead"`   // passcodes an HOTP authenticator may have made in vain (CRED-10)
	NotifyUser      bool  `json:"notify_user"`
	NotifyOperators bool  `json:"notify_operators"`
}

// DefaultLockout locks a user for a quarter of an hour at the sixth failed
// login and an authenticator at the tenth wrong passcode, tells the user, and
// lets three passcodes of a counter be skipped.
func DefaultLockout() Lockout {
	return Lockout{Threshold: 5, Period: 15 * 60, Passcodes: 10, Count: CountAuthenticators, LookAhead: 3, NotifyUser: true}
}

// Kind returns KindLockout.
func (Lockout) Kind() Kind { return KindLockout }

// Validate reports all that is wrong.
func (l Lockout) Validate() error {
	var ps Problems
	ps.within("threshold", l.Threshold, 0, 100)
	ps.within("period", l.Period, 60, 24*3600)
	ps.within("passcodes", l.Passcodes, 3, 50)
	oneOf(&ps, "count", l.Count, CountAuthenticators, CountUsers)
	if l.UnlockAfter != 0 { // at five minutes, whoever guesses on has one chance in a hundred a day
		ps.within("unlock_after", l.UnlockAfter, 5*60, 7*24*3600)
	}
	ps.within("look_ahead", l.LookAhead, 0, 10) // every one more is one more chance for whoever guesses
	return ps.err()
}

// LocksUser reports whether so many failed logins in a row lock a user.
func (l Lockout) LocksUser(failures int64) bool {
	return l.Threshold > 0 && failures > l.Threshold
}

// LocksAuthenticator reports whether so many wrong passcodes in a row lock an
// authenticator.
func (l Lockout) LocksAuthenticator(wrong int64) bool { return wrong >= l.Passcodes }

// lockedFor is for how long a user's passcodes are locked, the first time and
// each time again without a right one between (CRED-12).
var lockedFor = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// LocksPasscodesFor is for how long a user's passcodes are locked who was locked
// so often before since the last right one.
func (l Lockout) LocksPasscodesFor(before int64) time.Duration {
	return lockedFor[min(max(before, 0), int64(len(lockedFor)-1))]
}

package main

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// lockoutFlags are what can be changed of the lockout policy. A flag that was
// not given changes nothing.
type lockoutFlags struct {
	Threshold       *int64         `placeholder:"N" help:"Of lockout: failed logins in a row that a user may have; one more locks; 0 to 100, 0 is off."`
	Period          *time.Duration `placeholder:"TIME" help:"Of lockout: for how long that locks; 1m to 24h."`
	Passcodes       *int64         `placeholder:"N" help:"Of lockout: wrong passcodes in a row that lock; 3 to 50."`
	Count           policy.CountBy `placeholder:"WHAT" help:"Of lockout: what they count against and lock: authenticator or user."`
	UnlockAfter     *time.Duration `placeholder:"TIME" help:"Of lockout: when an authenticator that they locked unlocks by itself; 5m to 168h, 0 is never."`
	LookAhead       *int64         `placeholder:"N" help:"Of lockout: passcodes that a token which counts may have made in vain; 0 to 10."`
	NotifyUser      *bool          `negatable:"" help:"Of lockout: users are mailed of their locks."`
	NotifyOperators *bool          `negatable:"" help:"Of lockout: operators are, at the tenant's addresses for alerts."`
}

func (f lockoutFlags) any() bool { return f != lockoutFlags{} }

// change is what the flags make of the present policy.
func (f lockoutFlags) change(present policy.Document) (policy.Document, error) {
	l := present.(policy.Lockout)
	over(&l.Threshold, f.Threshold)
	over(&l.Period, seconds(f.Period))
	over(&l.MaxWrongPasscodes, f.Passcodes)
	over(&l.UnlockAfter, seconds(f.UnlockAfter))
	over(&l.LookAhead, f.LookAhead)
	over(&l.NotifyUser, f.NotifyUser)
	over(&l.NotifyOperators, f.NotifyOperators)
	if f.Count != "" {
		l.Count = f.Count
	}
	return l, nil
}

package main

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// lockoutFlags are what can be changed of the lockout policy. A flag that was
// not given changes nothing.
type lockoutFlags struct {
	Threshold       *int64         `placeholder:"N" help:"Failed logins in a row that a user may have; one more locks; 0 to 100, 0 is off."`
	Period          *time.Duration `placeholder:"TIME" help:"For how long failed logins lock; 1m to 24h."`
	Passcodes       *int64         `placeholder:"N" help:"Wrong passcodes in a row that lock; 3 to 50."`
	Count           policy.CountBy `placeholder:"WHAT" help:"What wrong passcodes count against and lock: authenticator or user."`
	UnlockAfter     *time.Duration `placeholder:"TIME" help:"When an authenticator that wrong passcodes locked unlocks by itself; 5m to 168h, 0 is never."`
	LookAhead       *int64         `placeholder:"N" help:"Passcodes that a token which counts may have made in vain; 0 to 10."`
	NotifyUser      *bool          `negatable:"" help:"Users are mailed of their locks."`
	NotifyOperators *bool          `negatable:"" help:"Operators are mailed of them, at the tenant's addresses for alerts."`
}

type policySetLockout struct {
	documentArg
	lockoutFlags `embed:""`
}

func (policySetLockout) Help() string {
	return byFlags + `

Examples:

    latchkey policy set lockout --threshold 5 --period 30m --count user

    latchkey policy set lockout --count authenticator --unlock-after 30m --notify-operators`
}

// Run changes what failed logins and wrong passcodes lock.
func (c *policySetLockout) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindLockout, file: c.File, yes: c.Yes, change: c.change, flags: c.lockoutFlags != lockoutFlags{}})
}

// change is what the flags make of the present policy.
func (f lockoutFlags) change(present policy.Document) (policy.Document, error) {
	l := present.(policy.Lockout)
	overwrite(&l.Threshold, f.Threshold)
	overwrite(&l.Period, seconds(f.Period))
	overwrite(&l.MaxWrongPasscodes, f.Passcodes)
	overwrite(&l.UnlockAfter, seconds(f.UnlockAfter))
	overwrite(&l.LookAhead, f.LookAhead)
	overwrite(&l.NotifyUser, f.NotifyUser)
	overwrite(&l.NotifyOperators, f.NotifyOperators)
	if f.Count != "" {
		l.Count = f.Count
	}
	return l, nil
}

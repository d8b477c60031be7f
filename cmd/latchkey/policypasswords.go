package main

import "github.com/latchkey-id/latchkey/internal/policy"

// passwordFlags are the parts of the policy of passwords, for "policy set
// passwords"; nil leaves one as it is.
type passwordFlags struct {
	Least      *int64 `placeholder:"N" help:"Of passwords: characters that a new one has at least; 8 to 64."`
	ExpireDays *int64 `placeholder:"N" help:"Of passwords: days after which one is changed in the login; 0 is never."`
	Reset      *bool  `negatable:"" help:"Of passwords: a forgotten one can be set anew, by a mailed code and a second factor."`
}

func (f passwordFlags) any() bool { return f.Least != nil || f.ExpireDays != nil || f.Reset != nil }

func (f passwordFlags) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.Passwords)
	over(&p.MinLength, f.Least)
	over(&p.ExpireDays, f.ExpireDays)
	over(&p.Reset, f.Reset)
	return p, nil
}

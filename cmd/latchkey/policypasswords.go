package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/policy"
)

type policySetPasswords struct {
	documentArg
	Least      *int64 `placeholder:"N" help:"Characters that a new password has at least; 8 to 64."`
	ExpireDays *int64 `placeholder:"N" help:"Days after which a password is changed in the login; 0 is never."`
	Reset      *bool  `negatable:"" help:"A forgotten password can be set anew, by a mailed code and a second factor."`
}

func (policySetPasswords) Help() string {
	return byFlags + "\n\nExample:\n\n    latchkey policy set passwords --least 12 --reset --expire-days 0"
}

// Run changes what passwords must be like.
func (c *policySetPasswords) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindPasswords, file: c.File, yes: c.Yes, change: c.change,
		flags: c.Least != nil || c.ExpireDays != nil || c.Reset != nil})
}

func (c *policySetPasswords) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.Passwords)
	overwrite(&p.MinLength, c.Least)
	overwrite(&p.ExpireDays, c.ExpireDays)
	overwrite(&p.Reset, c.Reset)
	return p, nil
}

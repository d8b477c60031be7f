package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/policy"
)

type policySetPIN struct {
	documentArg
	Least       *int64  `placeholder:"N" help:"Digits that a new PIN has at least; 3 to 15."`
	Most        *int64  `placeholder:"N" help:"Digits that a PIN has at most; 4 to 16."`
	Position    *string `placeholder:"WHERE" help:"Where it is typed: before or after the passcode. It holds for all PINs there are, at once."`
	ChangeFirst *bool   `negatable:"" help:"A PIN that was handed out is changed at its first use."`
	Trivial     *bool   `negatable:"" help:"PINs such as 1234 are allowed."`
}

func (policySetPIN) Help() string {
	return byFlags + "\n\nExample:\n\n    latchkey policy set pin --least 4 --most 8 --position before --change-first"
}

// Run changes the PIN that is typed with a passcode.
func (c *policySetPIN) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindPIN, file: c.File, yes: c.Yes, change: c.change,
		flags: c.Least != nil || c.Most != nil || c.Position != nil || c.ChangeFirst != nil || c.Trivial != nil})
}

func (c *policySetPIN) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.ServerPIN)
	overwrite(&p.MinLength, c.Least)
	overwrite(&p.MaxLength, c.Most)
	overwrite(&p.Position, c.Position)
	overwrite(&p.ChangeFirst, c.ChangeFirst)
	overwrite(&p.TrivialPINs, c.Trivial)
	return p, nil
}

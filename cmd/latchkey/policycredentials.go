package main

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

type policySetCredentials struct {
	documentArg
	Kinds         []identity.AuthenticatorKind `placeholder:"KIND,..." help:"Kinds of authenticators that people may get: app, totp, hotp."`
	Passkeys      string                       `placeholder:"WHAT" help:"off, second-factor, or passwordless."`
	Most          *int64                       `placeholder:"N" help:"Authenticators that a user may have; 1 to 100."`
	UnusedDays    *int64                       `placeholder:"N" help:"Days after which an unused authenticator becomes inactive; 15 to 365, 0 is never."`
	Shared        *bool                        `negatable:"" help:"A hardware token may be given to more than one user."`
	RecoveryCodes *bool                        `negatable:"" help:"People may have recovery codes."`
}

func (policySetCredentials) Help() string {
	return byFlags + ` A shorter time without use says how many authenticators it would make inactive, and wants a yes.

Examples:

    latchkey policy set credentials --passkeys passwordless

    latchkey policy set credentials --kinds app,hotp --most 3 --unused-days 90`
}

// Run changes which authenticators people may have.
func (c *policySetCredentials) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindCredentials, file: c.File, change: c.change, yes: c.Yes,
		flags: c.Kinds != nil || c.Passkeys != "" || c.Most != nil || c.UnusedDays != nil || c.Shared != nil || c.RecoveryCodes != nil})
}

func (c *policySetCredentials) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.Credentials)
	if c.Passkeys != "" {
		p.Passkeys = c.Passkeys
	}
	if c.Kinds != nil {
		p.Kinds = c.Kinds
	}
	overwrite(&p.MaxAuthenticators, c.Most)
	overwrite(&p.UnusedDays, c.UnusedDays)
	overwrite(&p.Shared, c.Shared)
	overwrite(&p.RecoveryCodes, c.RecoveryCodes)
	return p, nil
}

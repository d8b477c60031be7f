package main

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// credentialFlags are what can be changed of the policy of credentials. A flag that
// was not given changes nothing.
type credentialFlags struct {
	Kinds         []identity.AuthenticatorKind `placeholder:"KIND,..." help:"Of credentials: kinds of authenticators that people may get: app, totp, hotp."`
	Passkeys      string                       `placeholder:"WHAT" help:"Of credentials: off, second-factor, or passwordless."`
	Most          *int64                       `placeholder:"N" help:"Of credentials: authenticators that a user may have; 1 to 100."`
	UnusedDays    *int64                       `placeholder:"N" help:"Of credentials: days after which an unused authenticator becomes inactive; 15 to 365, 0 is never."`
	Shared        *bool                        `negatable:"" help:"Of credentials: a hardware token may be given to more than one user."`
	RecoveryCodes *bool                        `negatable:"" help:"Of credentials: people may have recovery codes."`
}

func (f credentialFlags) any() bool {
	return f.Kinds != nil || f.Passkeys != "" || f.Most != nil || f.UnusedDays != nil || f.Shared != nil || f.RecoveryCodes != nil
}

// change is what the flags make of the present policy.
func (f credentialFlags) change(present policy.Document) (policy.Document, error) {
	c := present.(policy.Credentials)
	if f.Passkeys != "" {
		c.Passkeys = f.Passkeys
	}
	if f.Kinds != nil {
		c.Kinds = f.Kinds
	}
	over(&c.MaxAuthenticators, f.Most)
	over(&c.UnusedDays, f.UnusedDays)
	over(&c.Shared, f.Shared)
	over(&c.RecoveryCodes, f.RecoveryCodes)
	return c, nil
}

// confirmUnused says how many authenticators a shorter time without use would hit,
// and asks whether it is to be set all the same.
func (c *policySet) confirmUnused(ctx context.Context, s *shell, h house, change func(policy.Document) (policy.Document, error)) error {
	if change == nil || c.Kind != policy.KindCredentials || c.Yes {
		return nil
	}
	present, err := authenticator.ReadCredentials(ctx, h.db.Reader, h.tenant.ID)
	if err != nil {
		return err
	}
	changed, err := change(present)
	if err != nil {
		return err
	}
	after, ok := changed.(policy.Credentials)
	if !ok || after.Validate() != nil || after.UnusedDays == 0 || present.UnusedDays > 0 && after.UnusedDays >= present.UnusedDays {
		return nil // what is wrong is said elsewhere
	}
	now := h.db.Now()
	soon, err := h.db.Authenticators().CountUnused(ctx, h.tenant.ID, now.Add(authenticator.WarningPeriod-after.UnusedPeriod()))
	if err != nil || soon == 0 {
		return err
	}
	long, err := h.db.Authenticators().CountUnused(ctx, h.tenant.ID, now.Add(-after.UnusedPeriod()))
	if err != nil {
		return err
	}
	return s.agree(ctx, warned{fmt.Sprintf("%d authenticators were not used for %d days, and %d for a week less. The users of all of these are told by mail within a day; "+
		"7 days after that, those that are still not used by then become inactive.", long, after.UnusedDays, soon-long)})
}

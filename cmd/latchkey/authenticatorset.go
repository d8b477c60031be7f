package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorSet struct {
	Serial string `arg:"" help:"Its serial."`
	Push   string `required:"" enum:"on,off" placeholder:"on|off" help:"Whether logins may be approved on it: on or off."`
}

func (authenticatorSet) Help() string {
	return `Its app shows the change at once. The user can change it back, in the app.

Example:

    latchkey authenticator set LK-7Q2M-04VX --push off`
}

// Run switches push on or off (PUSH-8).
func (c *authenticatorSet) Run(ctx context.Context, s *shell) error {
	return s.changeAuthenticator(ctx, c.Serial, "changed: push is "+c.Push, func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
		err := authenticator.SetPush(ctx, tx, a, c.Push == "on")
		refusal, ok := errors.AsType[*push.Refusal](err)
		switch {
		case !ok:
			return err
		case refusal.Code == "state":
			return fmt.Errorf("%s is %s: push can be switched only while it is active", a.Serial, a.State())
		case a.Kind != identity.AppToken:
			return fmt.Errorf("%s is no authenticator app: no push reaches it", a.Serial)
		}
		return fmt.Errorf("no push is allowed on %s; \"latchkey policy set platforms --push %s\" allows it", a.Platform, a.Platform)
	})
}

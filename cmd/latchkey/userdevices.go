package main

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A rememberedDeviceRow is a remembered device (JRN-9).
type rememberedDeviceRow struct {
	ID        string    `json:"id"`
	Browser   string    `json:"browser,omitempty"`
	Address   string    `json:"address,omitempty"` // from where it was last used
	CreatedAt time.Time `json:"remembered_at"`
	UsedAt    time.Time `json:"last_used_at"`
	EndsAt    time.Time `json:"ends_at"` // if it is not used until then
}

func rowOfDevice(d identity.RememberedDevice) rememberedDeviceRow {
	return rememberedDeviceRow{ID: d.ID, Browser: d.Agent, Address: d.IP, CreatedAt: d.CreatedAt, UsedAt: d.UsedAt, EndsAt: d.EndsAt()}
}

type userForgetDevices struct {
	Name string `arg:"" help:"The user's name."`
}

func (userForgetDevices) Help() string {
	return `Where the user had ticked "Remember this device", the next login there asks for a second factor again. Sessions stay open: "latchkey user disable" ends them. The user is told by mail.

Example:

    latchkey user forget-devices anna`
}

// Run forgets a user's remembered devices.
func (c *userForgetDevices) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.Name)
		if err != nil {
			return err
		}
		n, err := ts.directory().ForgetDevices(ctx, ts.who, ts.tenant.ID, u.Name)
		if err != nil {
			return err
		}
		return s.print(struct {
			Forgotten int64 `json:"forgotten"`
		}{n}, "Forgot %d remembered devices of user %s.", n, u.Name)
	})
}

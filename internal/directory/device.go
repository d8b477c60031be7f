package directory

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// TellDeviceRemembered tells a user by mail that a device is remembered from now
// on: whoever has the password needs no second factor there.
func TellDeviceRemembered(ctx context.Context, tx *store.Tx, u identity.User, d identity.RememberedDevice) error {
	return tell(ctx, tx, u, "remembered "+d.ID,
		templates.DeviceRemembered{Name: u.Name, Until: d.ExpiresAt, Origin: templates.Origin{IP: d.IP, Browser: d.Agent, At: d.CreatedAt}})
}

// DeviceStolen forgets a remembered device whose secret was shown again after it
// had been replaced, and tells its user by mail: somebody has a copy of it, and the
// password too (T-LOG-26). from is where it was shown.
func DeviceStolen(ctx context.Context, tx *store.Tx, u identity.User, d identity.RememberedDevice, from templates.Origin) error {
	forgotten, err := tx.Devices().Forget(ctx, u.Tenant, u.ID, d.ID, "stolen")
	if err != nil || !forgotten {
		return err
	}
	return tell(ctx, tx, u, "stolen "+d.ID,
		templates.DeviceStolen{Name: u.Name, Device: d.Agent, Origin: from})
}

// ForgetDevices forgets a user's remembered devices because somebody asks for it,
// the user or an operator, and tells the user by mail; with an id that one alone.
// It returns how many there were.
func ForgetDevices(ctx context.Context, tx *store.Tx, u identity.User, id, why string, from templates.Origin) (int64, error) {
	var n int64
	var err error
	if id == "" {
		n, err = tx.Devices().ForgetAll(ctx, u.Tenant, u.ID, why)
	} else if one, failed := tx.Devices().Forget(ctx, u.Tenant, u.ID, id, why); one || failed != nil {
		n, err = 1, failed
	}
	if err != nil || n == 0 {
		return 0, err
	}
	return n, tell(ctx, tx, u, "", templates.DevicesForgotten{Name: u.Name, Devices: n, Origin: from})
}

// ForgetDevices is [ForgetDevices] for an operator: all of the user of a name.
func (d *Directory) ForgetDevices(ctx context.Context, who identity.Principal, tenant, user string) (n int64, err error) {
	_, err = d.alter(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		n, err = ForgetDevices(ctx, tx, u, "", "operator", templates.Origin{At: tx.Now()})
		return err
	})
	return n, err
}

// tell queues a mail about what somebody did in a user's name, if there is an
// address to send it to.
func tell(ctx context.Context, tx *store.Tx, u identity.User, dedupe string, about templates.Mail) error {
	if mail.CheckAddress(u.Mail) != nil {
		return nil // nobody to tell, and no reason to undo it
	}
	return mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Mail: about, To: u.Mail, Language: u.Language,
		Dedupe: dedupe, Expires: tx.Now().Add(24 * time.Hour)})
}

package directory

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// NotifyDeviceRemembered notifies a user by mail that a device is now remembered: there,
// the password alone is sufficient.
func NotifyDeviceRemembered(ctx context.Context, tx *store.Tx, u identity.User, d identity.RememberedDevice) error {
	return queueMail(ctx, tx, u, "remembered "+d.ID,
		templates.DeviceRemembered{Name: u.Name, Until: d.ExpiresAt, Origin: templates.Origin{IP: d.IP, Browser: d.Agent, At: d.CreatedAt}})
}

// ReportStolenDevice forgets a remembered device whose secret was presented again after it
// had been replaced, and notifies its user by mail: somebody has a copy of the secret, and
// the password too (T-LOG-26). from is where it was presented.
func ReportStolenDevice(ctx context.Context, tx *store.Tx, u identity.User, d identity.RememberedDevice, from templates.Origin) error {
	forgotten, err := tx.Devices().Forget(ctx, u.Tenant, u.ID, d.ID, "stolen")
	if err != nil || !forgotten {
		return err
	}
	return queueMail(ctx, tx, u, "stolen "+d.ID,
		templates.DeviceStolen{Name: u.Name, Device: d.Agent, Origin: from})
}

// ForgetDevices forgets a user's remembered devices at the request of the user or an
// operator, and notifies the user by mail. With an id it only forgets that device. It
// returns the number of devices.
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
	return n, queueMail(ctx, tx, u, "", templates.DevicesForgotten{Name: u.Name, Devices: n, Origin: from})
}

// ForgetDevices is [ForgetDevices] for operators. It forgets all devices of a user.
func (d *Directory) ForgetDevices(ctx context.Context, who identity.Principal, tenant, user string) (n int64, err error) {
	_, err = d.changeUser(ctx, who, tenant, user, func(tx *store.Tx, u identity.User) error {
		n, err = ForgetDevices(ctx, tx, u, "", "operator", templates.Origin{At: tx.Now()})
		return err
	})
	return n, err
}

// queueMail queues a mail to a user about an act in the user's name, if the user has a
// valid address.
func queueMail(ctx context.Context, tx *store.Tx, u identity.User, dedupe string, about templates.Mail) error {
	if mail.CheckAddress(u.Mail) != nil {
		return nil // nobody can be notified, which is no reason to fail
	}
	return mail.Queue(ctx, tx, mail.Message{Tenant: u.Tenant, Mail: about, To: u.Mail, Language: u.Language,
		Dedupe: dedupe, Expires: tx.Now().Add(24 * time.Hour)})
}

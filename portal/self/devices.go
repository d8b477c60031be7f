package self

import (
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// devices lists the person's remembered devices (JRN-9).
func (p *Portal) devices(pr *PageRequest) (templates.Body, error) {
	body := templates.MeDevices{Name: pr.User.Name}
	for d, err := range p.DB.Devices().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return nil, err
		}
		body.Devices = append(body.Devices, templates.MeDevice{ID: d.ID, Browser: d.Agent, IP: d.IP, Since: d.CreatedAt, LastUsed: d.UsedAt,
			Until: d.EndsAt(), Here: d.Browser == pr.Session.Browser})
	}
	return body, nil
}

// forgetDevices forgets one of the person's remembered devices, or all of them.
// This requires no fresh second factor, and it is no error if a device was
// forgotten already.
func (p *Portal) forgetDevices(pr *PageRequest) (Result, error) {
	ctx, id := pr.Request.Context(), pr.Request.PostFormValue("device")
	switch {
	case pr.Request.PostFormValue("do") == "forget-all":
		id = ""
	case !identity.IsID(identity.DeviceID, id):
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		_, err = directory.ForgetDevices(ctx, tx, u, id, "user", pr.Origin(tx.Now()))
		return err
	})
	return Result{Page: pr.Page.Name}, err
}

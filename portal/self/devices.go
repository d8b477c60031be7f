package self

import (
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// devices lists where the person is asked for no second factor (JRN-9).
func (p *Portal) devices(v *Visit) (templates.Body, error) {
	body := templates.MeDevices{Name: v.User.Name}
	for d, err := range p.DB.Devices().OfUser(v.Request.Context(), v.Tenant.ID, v.User.ID) {
		if err != nil {
			return nil, err
		}
		body.Devices = append(body.Devices, templates.MeDevice{ID: d.ID, Browser: d.Agent, IP: d.IP, Since: d.CreatedAt, LastUsed: d.UsedAt,
			Until: d.EndsAt(), Here: d.Browser == v.Session.Browser})
	}
	return body, nil
}

// forgetDevices forgets one of the person's remembered devices, or all of them.
// Taking trust away asks for no fresh second factor, and that it is gone already
// is no problem of who asks for it twice.
func (p *Portal) forgetDevices(v *Visit) (Answer, error) {
	ctx, id := v.Request.Context(), v.Request.PostFormValue("device")
	switch {
	case v.Request.PostFormValue("do") == "forget-all":
		id = ""
	case !identity.IsID(identity.DeviceID, id):
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, v.Tenant.ID, v.User.ID)
		if err != nil {
			return err
		}
		_, err = directory.ForgetDevices(ctx, tx, u, id, "user", v.Origin(tx.Now()))
		return err
	})
	return Answer{To: v.Page.Name}, err
}

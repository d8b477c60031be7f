package portal

import (
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/directory"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
	"github.com/latchkey-id/latchkey/web"
)

// devices lists where the person is asked for no second factor (JRN-9).
func (p *Portal) devices(w http.ResponseWriter, r *http.Request) error {
	t, s, err := p.atDevices(w, r)
	if err != nil || s.ID == "" {
		return err
	}
	u, err := p.DB.User(r.Context(), t.ID, s.UserID)
	if err != nil {
		return err
	}
	body := templates.MeDevices{Name: u.Name, Home: "/t/" + t.Slug + "/me"}
	for d, err := range p.DB.RememberedDevices(r.Context(), t.ID, u.ID) {
		if err != nil {
			return err
		}
		body.Devices = append(body.Devices, templates.MeDevice{ID: d.ID, Browser: d.Agent, IP: d.IP, Since: d.CreatedAt, Used: d.UsedAt,
			Until: d.EndsAt(), Here: d.Browser == s.Browser})
	}
	page := templates.Page{Tenant: web.Brand(t), L: p.Kit.Printer(r, u.Language, "", t.Language), Languages: p.Kit.Catalog.Languages(), Body: body}
	return p.Kit.Render(w, r, http.StatusOK, "me_devices", page, "")
}

// forgetDevices forgets one of the person's remembered devices, or all of them,
// and takes what every page offers: signing out, and another language. Taking
// trust away asks for no fresh second factor, and that it is gone already is no
// problem of who asks for it twice.
func (p *Portal) forgetDevices(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	id, all := r.PostFormValue("device"), r.PostFormValue("do") == "forget-all"
	if r.PostFormValue("language") != "" || id == "" && !all {
		return p.act(w, r)
	}
	t, s, err := p.atDevices(w, r)
	if err != nil || s.ID == "" {
		return err
	}
	if all {
		id = ""
	} else if !identity.IsID(identity.DeviceID, id) {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	who := identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: s.UserID, IP: p.Kit.From(r)}
	err = p.DB.InTx(r.Context(), who, func(tx *store.Tx) error {
		u, err := tx.User(r.Context(), t.ID, s.UserID)
		if err != nil {
			return err
		}
		_, err = directory.ForgetDevices(r.Context(), tx, u, id, "user", templates.Origin{IP: who.IP, At: tx.Now()})
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/t/"+t.Slug+"/me/devices", http.StatusSeeOther)
	return nil
}

// atDevices returns whose page it is. Without a session it sends the browser to
// log in, and the session is the zero one.
func (p *Portal) atDevices(w http.ResponseWriter, r *http.Request) (identity.Tenant, identity.Session, error) {
	t, err := p.Kit.Tenant(r)
	if err != nil {
		return t, identity.Session{}, err
	}
	s, err := p.session(r, t)
	if errors.Is(err, identity.Unauthenticated) {
		http.Redirect(w, r, "/t/"+t.Slug+"/login", http.StatusSeeOther)
		return t, identity.Session{}, nil
	}
	return t, s, err
}

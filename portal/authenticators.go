package portal

import (
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/templates"
)

// authenticators lists what the person holds.
func (p *Portal) authenticators(v *Visit) (string, any, error) {
	body := templates.MeAuthenticators{Name: v.User.Name}
	for a, err := range p.DB.Authenticators(v.Request.Context(), v.Tenant.ID, v.User.ID) {
		if err != nil {
			return "", nil, err
		}
		if a.State() == identity.Pending {
			continue // half made: nothing to show yet
		}
		body.Authenticators = append(body.Authenticators, p.holding(v, a))
	}
	return "me_authenticators", body, nil
}

// holding is an authenticator as its owner is shown it.
func (p *Portal) holding(v *Visit, a identity.Authenticator) templates.Authenticator {
	return templates.Authenticator{Address: v.Address("authenticators/" + a.ID), Name: a.Name, Serial: a.Serial, Platform: a.Platform,
		State: a.State(), Push: a.Push(p.DB.Now()), EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt}
}

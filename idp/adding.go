package idp

import (
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// BeginAdding begins a journey for a further authenticator of the person of a
// live session, and returns the address at which it goes on.
func (p *IdP) BeginAdding(r *http.Request, t identity.Tenant, s identity.Session) (string, error) {
	app, err := p.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return "", err
	}
	visit := p.visit(r, t).Visit
	visit.Session = s
	v, err := p.Engine.BeginAdding(r.Context(), visit, journey.Start{Tenant: t.ID, Application: app, Request: []byte(`{}`),
		Fingerprint: web.Agent(r.UserAgent()), IP: p.Site.ClientIP(r)})
	if err != nil {
		return "", err
	}
	return address(t, v.Journey.ID), nil
}

// addedEnd says how a journey for a further authenticator ended. All ways lead
// back to the person's own.
func (s *sitting) addedEnd(end templates.EnrollEnd) templates.EnrollEnd {
	v := s.view
	end.Home, end.Why = "/t/"+s.tenant.Slug+"/me/authenticators", templates.AddingRefused
	switch {
	case v.Facts.Redeemed:
		end.Why = templates.AddingDone
	case v.Journey.Outcome == identity.Cancelled:
		end.Why = templates.AddingCancelled
	case v.Step == journey.Ended:
		end.Why = templates.AddingLate
	}
	return end
}

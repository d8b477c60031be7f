package self

import (
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/templates"
)

// overview lists what the person can open, and leads to all the other pages.
func (p *Portal) overview(v *Visit) (templates.Body, error) {
	links, err := p.open(v)
	if err != nil {
		return nil, err
	}
	return templates.Me{Name: v.User.Name, DisplayName: v.User.DisplayName, Applications: links, Cards: p.cards(v, "")}, nil
}

// open lists the applications the access policy lets the person log in to from
// here.
func (p *Portal) open(v *Visit) ([]templates.Link, error) {
	ctx := v.Request.Context()
	document, err := p.DB.Policies().Get(ctx, v.Tenant.ID, policy.KindAccess)
	if err != nil {
		return nil, err
	}
	access, err := policy.Read[policy.Access](document.Document)
	if err != nil {
		return nil, err
	}
	groups, err := p.DB.Groups().IDsOfUser(ctx, v.Tenant.ID, v.User.ID)
	if err != nil {
		return nil, err
	}
	var links []templates.Link
	for app, err := range p.DB.Applications().All(ctx, v.Tenant.ID) {
		if err != nil {
			return nil, err
		}
		if app.Protocol == identity.Portal || !app.DisabledAt.IsZero() {
			continue
		}
		if access.Decide(policy.Subject{Groups: groups, Application: app.ID, Address: p.Site.ClientAddress(v.Request)}).Deny {
			continue
		}
		links = append(links, templates.Link{Name: app.Name, Address: app.Home})
	}
	return links, nil
}

// subjects is a page that leads to others and shows nothing itself.
func (p *Portal) subjects(v *Visit) (templates.Body, error) {
	return templates.MeSubjects{Name: v.User.Name, Page: v.Page.Name, Cards: p.cards(v, v.Page.Name)}, nil
}

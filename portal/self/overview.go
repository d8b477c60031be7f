package self

import (
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/templates"
)

// overview lists the person's applications and what is missing, and links to all other
// pages.
func (p *Portal) overview(pr *PageRequest) (templates.Body, error) {
	links, err := p.applications(pr)
	if err != nil {
		return nil, err
	}
	body := templates.Me{Name: pr.User.Name, DisplayName: pr.User.DisplayName, Applications: links}
	if body.Cards, err = p.cards(pr, ""); err != nil {
		return nil, err
	}
	body.Missing, err = p.missing(pr)
	return body, err
}

// applications lists the applications to which the access policy allows the
// person to sign in from this address.
func (p *Portal) applications(pr *PageRequest) ([]templates.Link, error) {
	ctx := pr.Request.Context()
	document, err := p.DB.Policies().Get(ctx, pr.Tenant.ID, policy.KindAccess)
	if err != nil {
		return nil, err
	}
	access, err := policy.Read[policy.Access](document.Document)
	if err != nil {
		return nil, err
	}
	groups, err := p.DB.Groups().IDsOfUser(ctx, pr.Tenant.ID, pr.User.ID)
	if err != nil {
		return nil, err
	}
	var links []templates.Link
	for app, err := range p.DB.Applications().All(ctx, pr.Tenant.ID) {
		if err != nil {
			return nil, err
		}
		if app.Protocol == identity.Portal || !app.DisabledAt.IsZero() {
			continue
		}
		if access.Decide(policy.Subject{Groups: groups, Application: app.ID, Address: p.Site.ClientAddress(pr.Request)}).Deny {
			continue
		}
		links = append(links, templates.Link{Name: app.Name, Address: app.Home})
	}
	return links, nil
}

// menu is a page of links to other pages.
func (p *Portal) menu(pr *PageRequest) (templates.Body, error) {
	cards, err := p.cards(pr, pr.Page.Name)
	return templates.MeSubjects{Name: pr.User.Name, Page: pr.Page.Name, Cards: cards}, err
}

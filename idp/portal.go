package idp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/store"
)

// PortalIdentifier is the identifier of the application that stands for a
// tenant's own self-service pages.
const PortalIdentifier = "me"

// PortalApplication is that application, for a new tenant.
func PortalApplication(t identity.Tenant) identity.Application {
	return identity.Application{Tenant: t.ID, ID: identity.NewID(identity.ApplicationID), Name: t.OrganisationName(),
		Protocol: identity.Portal, Identifier: PortalIdentifier, Home: "/t/" + t.Slug + "/me", Config: []byte(`{}`)}
}

// startPortal begins a login to the self-service pages, which log in as every
// application does.
func (p *IdP) startPortal(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Kit.Tenant(r)
	if err != nil {
		return err
	}
	app, err := p.DB.ApplicationByIdentifier(r.Context(), t.ID, identity.Portal, PortalIdentifier)
	if err != nil {
		return err
	}
	return p.Accept(w, r, t, app, Request{Payload: json.RawMessage(`{}`)})
}

// Portal is the protocol of the self-service pages: the session is all they
// need.
type Portal struct{}

// Origin is our own.
func (Portal) Origin(json.RawMessage) string { return "" }

// Grant lets the browser go on to the pages.
func (Portal) Grant(ctx context.Context, tx *store.Tx, l Login) (Reply, error) {
	_, err := tx.JoinSession(ctx, l.Tenant.ID, identity.SessionApplication{Session: l.Session.ID, Application: l.Application.ID,
		Protocol: identity.Portal, Index: identity.NewID(identity.SessionID), Subject: l.User.ID})
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, l.Application.Home, http.StatusSeeOther)
		return nil
	}, nil
}

// Refuse shows a page: there is nobody else to tell.
func (Portal) Refuse(_ context.Context, _ identity.Tenant, _ identity.Application, _ json.RawMessage, why Refusal) (Reply, error) {
	return func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.Forbidden, Key: "error.journey.ended", Err: errors.New(string(why))}
	}, nil
}

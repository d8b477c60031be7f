package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// portalRequest is what the self-service pages want to know of a login again.
type portalRequest struct {
	Page   string `json:"page,omitempty"`   // name of the page to come back to; empty for the first
	Item   string `json:"item,omitempty"`   // id of the authenticator that the page is of; empty if it is of none
	StepUp bool   `json:"stepUp,omitempty"` // only a second factor was missing
}

// portalFactorAge is how many seconds a second factor counts as fresh, as the
// self-service pages see it.
const portalFactorAge = 600

// startPortal begins a login to the self-service pages, which log in as every
// application does. "for" names the page to come back to, one of a closed list, and
// "item" the authenticator that it is of: no address is taken from a link (T-LOG-21).
// With "fresh" the second factor has to be fresh, whatever policy says, and with
// "fresh=now" it is asked for in any case, for who wants to try one; the page itself
// looks whether it is fresh, so nothing is won by leaving the word out.
func (p *IdP) startPortal(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	app, err := p.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return err
	}
	var want journey.Request
	var back portalRequest
	if page := r.URL.Query().Get("for"); slices.Contains(p.SelfService, page) {
		back.Page = page
		if item := r.URL.Query().Get("item"); identity.IsID(identity.AuthenticatorID, item) {
			back.Item = item
		}
	}
	if how := r.URL.Query().Get("fresh"); back.Page != "" && how != "" {
		age := int64(portalFactorAge)
		if how == "now" {
			age = 0
		}
		back.StepUp, want.FactorMaxAge, want.ACR = true, &age, []string{journey.MFAContext}
	}
	if want.Payload, err = json.Marshal(back); err != nil {
		return fmt.Errorf("idp: self-service: %w", err)
	}
	return p.Accept(w, r, t, app, want)
}

// Portal is the protocol of the self-service pages: the session is all they
// need.
type Portal struct{}

// Origin is our own.
func (Portal) Origin(json.RawMessage) string { return "" }

// Grant lets the browser go on to the pages.
func (Portal) Grant(ctx context.Context, tx *store.Tx, l Login) (Reply, error) {
	back, err := readPortalRequest(l.Payload)
	if err != nil {
		return nil, err
	}
	_, err = tx.Sessions().Join(ctx, l.Tenant.ID, identity.SessionApplication{Session: l.Session.ID, Application: l.Application.ID,
		Protocol: identity.Portal, Index: identity.NewID(identity.SessionID), Subject: l.User.ID})
	if err != nil {
		return nil, err
	}
	to := l.Application.Home
	if back.Page != "" {
		to = strings.TrimSuffix("/t/"+l.Tenant.Slug+"/me/"+back.Page+"/"+back.Item, "/")
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}, nil
}

// Refuse shows a page: there is nobody else to tell. Who only did not want to
// prove a second factor again is still logged in, and goes back to the first
// page.
func (Portal) Refuse(_ context.Context, t identity.Tenant, _ identity.Application, payload json.RawMessage, why Refusal) (Reply, error) {
	back, err := readPortalRequest(payload)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if back.StepUp && why == Cancelled {
			http.Redirect(w, r, "/t/"+t.Slug+"/me", http.StatusSeeOther)
			return nil
		}
		return &identity.Error{Kind: identity.Forbidden, Key: "error.journey.ended", Err: errors.New(string(why))}
	}, nil
}

func readPortalRequest(payload json.RawMessage) (back portalRequest, err error) {
	if len(payload) == 0 { // a journey that no request began, such as an invitation's
		return back, nil
	}
	if err := json.Unmarshal(payload, &back); err != nil {
		return back, fmt.Errorf("idp: self-service: %w", err)
	}
	return back, nil
}

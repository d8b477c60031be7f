// Package portal is what people and operators do outside a login: the
// self-service page /me, which lists one's applications and authenticators.
// The operators' pages and the REST API come to stand here too.
//
// It logs in as every application does: a request without a session is sent to
// the portal's own journey and comes back with one.
package portal

import (
	"errors"
	"net/http"

	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/templates"
	"github.com/latchkey-id/latchkey/web"
)

// A Portal serves the self-service pages.
type Portal struct {
	Kit *web.Kit
	DB  *store.DB
	// EndSession ends a session with its event and takes its cookie.
	EndSession func(w http.ResponseWriter, r *http.Request, t identity.Tenant, s identity.Session) error
}

// Routes mounts the pages. They expect to stand inside web.Kit.SameOrigin.
func (p *Portal) Routes(mux *http.ServeMux) {
	mux.Handle("GET /t/{tenant}/{$}", p.Kit.Handle(p.home))
	mux.Handle("GET /t/{tenant}/me", p.Kit.Handle(p.me))
	mux.Handle("POST /t/{tenant}/me", p.Kit.Handle(p.act))
	mux.Handle("GET /t/{tenant}/me/devices", p.Kit.Handle(p.devices))
	mux.Handle("POST /t/{tenant}/me/devices", p.Kit.Handle(p.forgetDevices))
}

// home sends who knows only the tenant's address to its self-service page.
func (p *Portal) home(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Kit.Tenant(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/t/"+t.Slug+"/me", http.StatusSeeOther)
	return nil
}

// session returns the live session of a request if it has logged in here. One
// that only another application began may have proved less than policy asks
// for these pages: it comes by way of a journey, which asks for what is missing
// or lets it through (JRN-8). Without one the error is an Unauthenticated.
func (p *Portal) session(r *http.Request, t identity.Tenant) (identity.Session, error) {
	s, err := p.Kit.Session(r, t)
	if err != nil {
		return s, err
	}
	for a, err := range p.DB.SessionApplications(r.Context(), t.ID, s.ID) {
		if err != nil || a.Protocol == identity.Portal {
			return s, err
		}
	}
	return s, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated"}
}

// me lists what the person can open and holds.
func (p *Portal) me(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Kit.Tenant(r)
	if err != nil {
		return err
	}
	s, err := p.session(r, t)
	if errors.Is(err, identity.Unauthenticated) {
		http.Redirect(w, r, "/t/"+t.Slug+"/login", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	who := identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: s.UserID, IP: p.Kit.From(r)}
	if s.Stale(p.DB.Now()) {
		if err := p.DB.InTx(r.Context(), who, func(tx *store.Tx) error { return tx.SeenSession(r.Context(), s) }); err != nil {
			return err
		}
	}
	return p.render(w, r, t, s)
}

// act takes the page's form: signing out, or another language.
func (p *Portal) act(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	t, err := p.Kit.Tenant(r)
	if err != nil {
		return err
	}
	s, err := p.session(r, t)
	if errors.Is(err, identity.Unauthenticated) {
		http.Redirect(w, r, "/t/"+t.Slug+"/login", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	if language := r.PostFormValue("language"); language != "" {
		language = p.Kit.Catalog.Negotiate(language, "", "", "").Lang()
		p.Kit.PickLanguage(w, language)
		who := identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: s.UserID, IP: p.Kit.From(r)}
		err := p.DB.InTx(r.Context(), who, func(tx *store.Tx) error {
			return tx.SetUserLanguage(r.Context(), t.ID, s.UserID, language)
		})
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/t/"+t.Slug+"/me", http.StatusSeeOther)
		return nil
	}
	if r.PostFormValue("do") != "logout" {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	if err := p.EndSession(w, r, t, s); err != nil {
		return err
	}
	page := templates.Page{Tenant: web.Brand(t), L: p.Kit.Printer(r, "", "", t.Language), Body: templates.LoggedOut{Home: "/t/" + t.Slug + "/me"}}
	return p.Kit.Render(w, r, http.StatusOK, "logged_out", page, "")
}

func (p *Portal) render(w http.ResponseWriter, r *http.Request, t identity.Tenant, s identity.Session) error {
	ctx := r.Context()
	u, err := p.DB.User(ctx, t.ID, s.UserID)
	if err != nil {
		return err
	}
	applications, err := p.open(r, t, u)
	if err != nil {
		return err
	}
	body := templates.Me{Devices: "/t/" + t.Slug + "/me/devices", Name: u.Name, DisplayName: u.DisplayName, Applications: applications}
	for a, err := range p.DB.Authenticators(ctx, t.ID, u.ID) {
		if err != nil {
			return err
		}
		if a.State() == identity.Pending {
			continue // half made: nothing to show yet
		}
		body.Authenticators = append(body.Authenticators, templates.Authenticator{Name: a.Name, Serial: a.Serial, Platform: a.Platform,
			State: a.State(), Push: a.Push(p.DB.Now()), EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt})
	}
	page := templates.Page{Tenant: web.Brand(t), L: p.Kit.Printer(r, u.Language, "", t.Language),
		Languages: p.Kit.Catalog.Languages(), Body: body}
	return p.Kit.Render(w, r, http.StatusOK, "me", page, "")
}

// open lists the applications the access policy lets the person log in to from
// here.
func (p *Portal) open(r *http.Request, t identity.Tenant, u identity.User) ([]templates.Link, error) {
	ctx := r.Context()
	document, err := p.DB.Policy(ctx, t.ID, policy.KindAccess)
	if err != nil {
		return nil, err
	}
	access, err := policy.Read[policy.Access](document.Document)
	if err != nil {
		return nil, err
	}
	groups, err := p.DB.GroupIDsOf(ctx, t.ID, u.ID)
	if err != nil {
		return nil, err
	}
	var links []templates.Link
	for app, err := range p.DB.Applications(ctx, t.ID) {
		if err != nil {
			return nil, err
		}
		if app.Protocol == identity.Portal || !app.DisabledAt.IsZero() {
			continue
		}
		if access.Decide(policy.Subject{Groups: groups, Application: app.ID, Address: p.Kit.Address(r)}).Deny {
			continue
		}
		links = append(links, templates.Link{Name: app.Name, Address: app.Home})
	}
	return links, nil
}

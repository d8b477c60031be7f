// Package self has the self-service pages under /me, where people see their
// applications, authenticators, sessions and history, and change what is
// theirs.
//
// Sign-in works as for any application: a request without a session is sent to
// a journey of the portal and comes back with one. Pages whose forms an
// intruder could misuse, such as adding an authenticator, require a fresh
// second factor; the same journey asks for it and leads back to the page.
//
// Every page is a row of one table ([Portal.pages]): its name, its place in the
// navigation, what it shows and what its forms do. What all pages have in
// common is in request.go, so that no page can forget a check.
package self

import (
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// A Portal serves the self-service pages.
type Portal struct {
	Site *web.Site
	DB   *store.DB
	// Directory checks and changes passwords.
	Directory *directory.Directory
	// EndSession ends a session, with its event, and deletes its cookie.
	EndSession func(w http.ResponseWriter, r *http.Request, t identity.Tenant, s identity.Session) error
	// BeginAdding begins a journey for a further authenticator of a session's
	// user, and returns the handler that sends the browser there.
	BeginAdding func(r *http.Request, t identity.Tenant, s identity.Session) (web.Handler, error)
}

// Routes mounts the pages. They must be wrapped in web.Site.SameOrigin.
func (p *Portal) Routes(mux *http.ServeMux) {
	mux.Handle("GET /t/{tenant}/{$}", p.Site.Handle(p.redirectToOverview))
	for _, address := range []string{"/t/{tenant}/me", "/t/{tenant}/me/{page}", "/t/{tenant}/me/{page}/{item}"} {
		mux.Handle("GET "+address, p.Site.Handle(p.get))
		mux.Handle("POST "+address, p.Site.Handle(p.post))
	}
}

// redirectToOverview redirects the tenant's address to its self-service pages.
func (p *Portal) redirectToOverview(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/t/"+t.Slug+"/me", http.StatusSeeOther)
	return nil
}

// session returns the live session of a request if it was used for these pages
// before. A session that only another application began may have fewer factors
// than policy requires here: it has to go through a journey, which asks for
// what is missing, if anything (JRN-8). Without a session the error is
// Unauthenticated.
func (p *Portal) session(r *http.Request, t identity.Tenant) (identity.Session, error) {
	s, err := p.Site.Session(r, t)
	if err != nil {
		return s, err
	}
	for a, err := range p.DB.Sessions().Applications(r.Context(), t.ID, s.ID) {
		if err != nil || a.Protocol == identity.Portal {
			return s, err
		}
	}
	return s, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated"}
}

// hasFactor reports whether the user of a session has an authenticator for a
// second factor.
func (p *Portal) hasFactor(r *http.Request, s identity.Session) (bool, error) {
	for a, err := range p.DB.Authenticators().OfUser(r.Context(), s.Tenant, s.UserID) {
		if err != nil {
			return false, err
		}
		if state := a.State(); state != identity.Pending && state != identity.Inactive {
			return true, nil
		}
	}
	return false, nil
}

// freshFactor is how long ago a second factor may have been completed to count
// as fresh.
const freshFactor = 10 * time.Minute

// completedFactor reports whether a second factor was completed in a session
// within the given time, with an authenticator that is still active. A
// remembered device never counts: it replaces a factor that was completed
// earlier.
func (p *Portal) completedFactor(r *http.Request, s identity.Session, within time.Duration) (bool, error) {
	for _, passed := range s.Passed {
		second := passed.Validation == identity.SecondFactor && passed.Method != identity.ByRememberedDevice
		if !second && passed.Method != identity.ByVerifiedPasskey || p.DB.Now().Sub(passed.At) > within {
			continue
		}
		if passed.Authenticator == "" {
			return true, nil
		}
		a, err := p.DB.Authenticators().Get(r.Context(), s.Tenant, passed.Authenticator)
		if errors.Is(err, identity.NotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if a.State() == identity.Active {
			return true, nil
		}
	}
	return false, nil
}

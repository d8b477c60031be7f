// Package portal is what people do outside a login: the self-service pages
// under /me, where one sees one's applications, authenticators, sessions and
// history, and changes what is one's own.
//
// They log in as every application does: a request without a session is sent to
// the portal's own journey and comes back with one. What could be used against
// the person, such as a further authenticator, asks for a second factor that is
// fresh; the same journey asks for it, and leads back to the page.
//
// Every page is a row of one table ([Portal.pages]): its name, where the
// navigation shows it, what it shows and what its forms do. All that pages have
// in common stands in frame.go, so none of them can forget a guard.
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
	// EndSession ends a session with its event and takes its cookie.
	EndSession func(w http.ResponseWriter, r *http.Request, t identity.Tenant, s identity.Session) error
	// BeginAdding begins a journey for a further authenticator of a session's
	// user, and returns what leads the browser to it.
	BeginAdding func(r *http.Request, t identity.Tenant, s identity.Session) (web.Handler, error)
}

// Routes mounts the pages. They expect to stand inside web.Site.SameOrigin.
func (p *Portal) Routes(mux *http.ServeMux) {
	mux.Handle("GET /t/{tenant}/{$}", p.Site.Handle(p.home))
	for _, address := range []string{"/t/{tenant}/me", "/t/{tenant}/me/{page}", "/t/{tenant}/me/{page}/{item}"} {
		mux.Handle("GET "+address, p.Site.Handle(p.show))
		mux.Handle("POST "+address, p.Site.Handle(p.act))
	}
}

// home sends who knows only the tenant's address to its self-service page.
func (p *Portal) home(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
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

// holds reports whether the person of a session has anything a second factor could
// be given with.
func (p *Portal) holds(r *http.Request, s identity.Session) (bool, error) {
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

// fresh is how long a second factor counts where a page asks for a fresh one.
const fresh = 10 * time.Minute

// factor reports whether a session proved a second factor, with something still
// in use, no longer ago than within. A remembered device stands for one
// proved at another time, so it never counts here.
func (p *Portal) factor(r *http.Request, s identity.Session, within time.Duration) (bool, error) {
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

package idp

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// An IdP is the browser's face of journeys.
type IdP struct {
	Site      *web.Site
	DB        *store.DB
	Engine    *journey.Engine
	Keys      *signingkey.Cache
	Protocols map[identity.Protocol]Protocol
	// SelfService names the self-service pages that a login may lead back to.
	SelfService []string
	Streams     *web.Streams    // of pages that wait
	Closing     <-chan struct{} // closed when the server shuts down, so that no answer is held back

	refused refusalCounts
}

// Routes mounts the pages of logging in. They expect to stand inside
// web.Site.SameOrigin.
func (p *IdP) Routes(mux *http.ServeMux) {
	mux.Handle("GET /t/{tenant}/login", p.Site.Handle(p.startPortal))
	mux.Handle("GET /t/{tenant}/begin/{request}", p.Site.Handle(p.begin))
	mux.Handle("GET /t/{tenant}/login/{journey}", p.Site.Handle(p.get))
	mux.Handle("POST /t/{tenant}/login/{journey}", p.Site.Handle(p.post))
	mux.Handle("GET /t/{tenant}/login/{journey}/events", p.Site.Handle(p.events))
	mux.Handle("GET /t/{tenant}/enroll", p.Site.Handle(p.invitation))
	mux.Handle("GET /t/{tenant}/{link}", p.Site.Handle(p.mangledInvitation))
	mux.Handle("POST /t/{tenant}/enroll", p.Site.Handle(p.beginInvited))
}

// requestLife is how long a protocol's request waits for its browser.
const requestLife = time.Minute

// Accept stores what an application asks for, bound to nobody, and sends the
// browser on to the GET that binds it. It is the last thing a protocol's
// endpoint does. A replay is an Expired.
func (p *IdP) Accept(w http.ResponseWriter, r *http.Request, t identity.Tenant, app identity.Application, want journey.Request) error {
	wants, err := json.Marshal(want)
	if err != nil {
		return err
	}
	stored := store.Request{Tenant: t.ID, ID: identity.NewID(identity.RequestID), Application: app.ID, Wants: wants,
		ExpiresAt: p.DB.Now().Add(requestLife)}
	err = p.DB.InTx(r.Context(), p.Site.AnonymousPrincipal(r, t), func(tx *store.Tx) error {
		if want.Once != "" {
			err := tx.UseOnce(r.Context(), t.ID, "application's request", app.ID+" "+want.Once, want.OnceUntil)
			if errors.Is(err, identity.Conflict) {
				return &identity.Error{Kind: identity.Expired, Key: "error.request.expired", Err: err}
			}
			if err != nil {
				return err
			}
		}
		return tx.Requests().Add(r.Context(), stored)
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/t/"+t.Slug+"/begin/"+stored.ID, http.StatusSeeOther)
	return nil
}

// EndSession ends a session with its event, and takes its cookie from the
// browser.
func (p *IdP) EndSession(w http.ResponseWriter, r *http.Request, t identity.Tenant, s identity.Session) error {
	who := identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: s.UserID, IP: p.Site.ClientIP(r)}
	err := p.DB.InTx(r.Context(), who, func(tx *store.Tx) error {
		if err := tx.Sessions().End(r.Context(), t.ID, s.ID); err != nil {
			return err
		}
		return tx.Event(r.Context(), audit.Event{Kind: audit.SessionEnded, User: s.UserID, Data: map[string]string{"session": s.ID}})
	})
	if err != nil {
		return err
	}
	return p.Site.ClearSession(w, r, t)
}

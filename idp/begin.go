package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// begin is the GET after the 303: the first request that carries our cookies.
// It uses up the stored request and binds a journey to the browser.
func (p *IdP) begin(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	id := r.PathValue("request")
	if !identity.IsID(identity.RequestID, id) {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	answer := p.visit(r, t)
	answer.session(p.Site.Session(r, t))
	browser := p.Site.EnsureBrowser(w, r, t)
	var app identity.Application
	var want Request
	v, err := p.Engine.Begin(r.Context(), answer.Visit, id, func(tx *store.Tx, stored store.Request) (journey.Start, error) {
		var err error
		if app, err = tx.Applications().Get(r.Context(), t.ID, stored.Application); err != nil {
			return journey.Start{}, err
		}
		if err := json.Unmarshal(stored.Wants, &want); err != nil {
			return journey.Start{}, fmt.Errorf("idp: request %s: %w", id, err)
		}
		return journey.Start{Tenant: t.ID, Application: app, Request: stored.Wants, Browser: browser,
			Fingerprint: web.Agent(r.UserAgent()), IP: p.Site.ClientIP(r), ForceLogin: want.ForceLogin, Passive: want.Passive,
			MaxAge: want.MaxAge, FactorMaxAge: want.FactorMaxAge, ACR: want.ACR, Comparison: want.Comparison}, nil
	})
	switch {
	case errors.Is(err, journey.ErrLoginRequired):
		return p.refuse(w, r, t, app, want.Payload, LoginRequired)
	case errors.Is(err, journey.ErrContextUnmet):
		return p.refuse(w, r, t, app, want.Payload, ContextUnmet)
	case err != nil:
		return err
	case v.Step == journey.Done:
		return answer.send(w, r)
	}
	http.Redirect(w, r, address(t, v.Journey.ID), http.StatusSeeOther)
	return nil
}

// address is the one address of a journey's pages.
func address(t identity.Tenant, id string) string { return "/t/" + t.Slug + "/login/" + id }

// refuse sends an application its protocol's error.
func (p *IdP) refuse(w http.ResponseWriter, r *http.Request, t identity.Tenant, app identity.Application, payload json.RawMessage, why Refusal) error {
	reply, err := p.Protocols[app.Protocol].Refuse(r.Context(), t, app, payload, why)
	if err != nil {
		return err
	}
	return reply(w, r)
}

// An answer is a visit and what comes of it: the reply to the application, and
// the session's new secret.
type answer struct {
	journey.Visit
	idp    *IdP
	tenant identity.Tenant
	reply  Reply
	secret string
	device journey.Device // to be remembered from now on; zero where nothing changed
}

// visit prepares a step of whoever sent r.
func (p *IdP) visit(r *http.Request, t identity.Tenant) *answer {
	a := &answer{idp: p, tenant: t}
	a.Visit = journey.Visit{Who: p.Site.AnonymousPrincipal(r, t), Device: p.Site.Device(r, t), Remember: remembers(r), Grant: a.grant}
	return a
}

// remembers reads the box of the pages of the second factor: a hidden field says
// that there was one, for one that is not ticked sends nothing.
func remembers(r *http.Request) *bool {
	box := r.PostForm["remember"]
	if len(box) == 0 {
		return nil
	}
	ticked := slices.Contains(box, "yes")
	return &ticked
}

// session hands the visit the browser's live session, if there is one.
func (a *answer) session(s identity.Session, err error) {
	if err == nil {
		a.Session = s
	}
}

// grant runs in the journey's last transaction.
func (a *answer) grant(ctx context.Context, tx *store.Tx, s journey.Success) error {
	j := s.Journey
	app, err := tx.Applications().Get(ctx, j.Tenant, j.Application)
	if err != nil {
		return err
	}
	var want Request
	if err := json.Unmarshal(j.Request, &want); err != nil {
		return fmt.Errorf("idp: request of %s: %w", j.ID, err)
	}
	groups, err := store.Collect(tx.Groups().OfUser(ctx, j.Tenant, j.UserID))
	if err != nil {
		return err
	}
	a.secret, a.device = s.Secret, s.Device
	a.reply, err = a.idp.Protocols[app.Protocol].Grant(ctx, tx, Login{
		Tenant: a.tenant, Application: app, User: s.User, Groups: groups, Session: s.Session, Payload: want.Payload,
		ACR: s.Context, AMR: journey.References(j.Passed), AuthTime: s.Session.AuthTime,
	})
	return err
}

// send gives the browser its session and the application its answer.
func (a *answer) send(w http.ResponseWriter, r *http.Request) error {
	if a.secret != "" {
		a.idp.Site.SetSession(w, a.tenant, a.secret)
	}
	if a.device.Cookie.ID != "" {
		a.idp.Site.SetDevice(w, a.tenant, a.device.Cookie, a.device.Life)
	}
	return a.reply(w, r)
}

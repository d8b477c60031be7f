package idp

import (
	"context"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// begin is the GET after the 303: the first request that carries our cookies. It
// uses up the stored request and binds a journey to the browser.
func (p *IdP) begin(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	id := r.PathValue("request")
	if !identity.IsID(identity.RequestID, id) {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	b := p.browserAt(r, t)
	b.Binding = identity.NewSecret()
	b.readSession(r)
	if b.Browser, err = p.Site.EnsureBrowser(w, r, t); err != nil {
		return err
	}
	prompt, err := p.Engine.Begin(r.Context(), b.Client, journey.FromApplication{Stored: id})
	if err != nil {
		return err
	}
	return b.bind(w, r, prompt)
}

// bind gives the browser the binding of the journey that has just begun, unless that
// is over already, and sends it on.
func (b *browser) bind(w http.ResponseWriter, r *http.Request, p *journey.Prompt) error {
	if p.Journey != "" && !p.EndedNow {
		if err := b.idp.Site.Sessions.Bind(w, r, b.Tenant, p.Journey, b.Binding); err != nil {
			return err
		}
	}
	return b.answer(w, r, p)
}

// address is the one address of a journey's pages.
func address(t identity.Tenant, id string) string { return "/t/" + t.Slug + "/login/" + id }

// A browser is the client of one request, and what comes of it: the answer to the
// application, and the new secrets of its cookies.
type browser struct {
	journey.Client
	idp    *IdP
	reply  Reply
	secret string         // of the session; empty where nothing changed
	device journey.Device // to be remembered from now on; zero where nothing changed
}

// browserAt reads what a request says of its browser.
func (p *IdP) browserAt(r *http.Request, t identity.Tenant) *browser {
	b := &browser{idp: p}
	b.Client = journey.Client{Tenant: t, Who: p.Site.AnonymousPrincipal(r, t), Device: p.Site.Device(r, t),
		Agent: web.Agent(r.UserAgent()), UserAgent: r.UserAgent(), Platform: r.Header.Get("Sec-CH-UA-Platform"),
		Picked: p.Site.PickedLanguage(r), Accept: r.Header.Get("Accept-Language"), Redirects: true, Grant: b.grant}
	b.Browser, _ = p.Site.Browser(r, t)
	if id := r.PathValue("journey"); id != "" {
		b.Binding = p.Site.Sessions.Binding(r, t, id)
	}
	return b
}

// readSession reads the browser's live session, if there is one.
func (b *browser) readSession(r *http.Request) {
	if s, err := b.idp.Site.Session(r, b.Tenant); err == nil {
		b.Session = s
	}
}

// grant runs in the journey's last transaction.
func (b *browser) grant(ctx context.Context, tx *store.Tx, s journey.Success) error {
	app, err := tx.Applications().Get(ctx, b.Tenant.ID, s.Journey.Application)
	if err != nil {
		return err
	}
	groups, err := store.Collect(tx.Groups().OfUser(ctx, b.Tenant.ID, s.User.ID))
	if err != nil {
		return err
	}
	b.secret, b.device = s.Secret, s.Device
	b.reply, err = b.idp.Protocols[app.Protocol].Grant(ctx, tx, Login{
		Tenant: b.Tenant, Application: app, User: s.User, Groups: groups, Session: s.Session, Payload: s.Request.Payload,
		ACR: s.Context, AMR: journey.References(s.Journey.Passed), AuthTime: s.Session.AuthTime,
	})
	return err
}

// answer sends the browser where the prompt says: on to the application, whose
// journey has just ended and takes its binding along, or to the page that shows the
// prompt. An answer by 303 repeats nothing when it is reloaded.
func (b *browser) answer(w http.ResponseWriter, r *http.Request, p *journey.Prompt) error {
	if p.EndedNow && p.Login() {
		if err := b.idp.Site.Sessions.Unbind(w, r, b.Tenant, p.Journey); err != nil {
			return err
		}
	}
	switch {
	case b.reply != nil:
		return b.send(w, r)
	case p.Journey == "":
		return b.refuse(w, r, p, refusals[p.Reason])
	case p.EndedNow && p.Login() && p.Outcome == identity.Cancelled:
		return b.refuse(w, r, p, Cancelled)
	case p.EndedNow && p.Login() && p.Outcome == identity.Denied:
		return b.refuse(w, r, p, AccessDenied)
	}
	http.Redirect(w, r, address(b.Tenant, p.Journey), http.StatusSeeOther)
	return nil
}

// refusals are what applications are told of journeys that did not begin.
var refusals = map[journey.Reason]Refusal{
	journey.ReasonLoginRequired: LoginRequired,
	journey.ReasonContextUnmet:  ContextUnmet,
}

// send gives the browser its session and the application its answer.
func (b *browser) send(w http.ResponseWriter, r *http.Request) error {
	if b.secret != "" {
		if err := b.idp.Site.SetSession(w, r, b.Tenant, b.secret); err != nil {
			return err
		}
	}
	if b.device.Cookie.ID != "" {
		if err := b.idp.Site.SetDevice(w, r, b.Tenant, b.device.Cookie, b.device.Life); err != nil {
			return err
		}
	}
	return b.reply(w, r)
}

// refuse sends the application its protocol's error.
func (b *browser) refuse(w http.ResponseWriter, r *http.Request, p *journey.Prompt, why Refusal) error {
	app, err := b.idp.DB.Applications().Get(r.Context(), b.Tenant.ID, p.ApplicationID)
	if err != nil {
		return err
	}
	reply, err := b.idp.Protocols[p.Protocol].Refuse(r.Context(), b.Tenant, app, p.Request.Payload, why)
	if err != nil {
		return err
	}
	return reply(w, r)
}

package idp

import (
	"net/http"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// invitation is where the link of an enrolment mail leads. It looks nothing up:
// the secret is in the fragment, which only scripts in the browser see, and what
// fetches links to look at them changes nothing.
func (p *IdP) invitation(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	return p.renderInvitation(w, r, t, http.StatusOK, templates.EnrollBegin{})
}

// mangledInvitation leads on from the link of an enrolment mail whose number sign a mail
// gateway re-encoded. The secret is in the path then, so it is sent back as the fragment
// that it was; nothing is looked up.
func (p *IdP) mangledInvitation(w http.ResponseWriter, r *http.Request) error {
	fragment := enroll.MangledInvitation(r.PathValue("link"))
	if fragment == "" {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/t/"+t.Slug+"/enroll#"+fragment, http.StatusSeeOther)
	return nil
}

// beginInvited begins the journey of the invitation whose secret was brought, in
// the browser that brought it, or says why there is none.
func (p *IdP) beginInvited(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	secret := enroll.InvitationSecret(r.PostFormValue("secret"))
	if picked := r.PostFormValue("language"); picked != "" {
		picked = p.Site.Catalog.Negotiate(picked, "", "", "").Lang()
		if err := p.Site.PickLanguage(w, r, picked); err != nil {
			return err
		}
		return p.renderInvitation(w, r, t, http.StatusOK, templates.EnrollBegin{Secret: secret})
	}
	app, err := p.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return err
	}
	b := p.browserAt(r, t)
	if b.Browser, err = p.Site.EnsureBrowser(w, r, t); err != nil {
		return err
	}
	b.Binding = identity.NewSecret()
	prompt, err := p.Engine.Begin(r.Context(), b.Client, journey.FromInvitation{Secret: secret, Application: app})
	switch {
	case err != nil:
		return err
	case prompt.Reason == journey.ReasonInvitationUnknown && prompt.Journey == "":
		return p.renderInvitation(w, r, t, http.StatusNotFound, templates.EnrollEnd{Why: templates.InvitedUnknown})
	case prompt.Journey == "":
		return p.renderInvitation(w, r, t, http.StatusGone, templates.EnrollEnd{Why: invitedPages[prompt.Reason]})
	}
	return b.bind(w, r, prompt)
}

// renderInvitation shows a page that belongs to no journey yet.
func (p *IdP) renderInvitation(w http.ResponseWriter, r *http.Request, t identity.Tenant, status int, body templates.Body) error {
	picked := ""
	if r.Method == http.MethodPost {
		picked = r.PostFormValue("language")
	}
	// The address is named, without its fragment: a form without one would be
	// sent to the page's own, and the redirect would carry the fragment on.
	return p.Site.Render(w, r, status, templates.Page{L: p.Site.Printer(r, picked, "", t.Language), Tenant: web.Brand(t),
		Languages: p.Site.Catalog.Languages(), Action: "/t/" + t.Slug + "/enroll", Body: body}, "")
}

// BeginAdding begins a journey for a further authenticator of the person of a live
// session, and returns what leads the browser to it.
func (p *IdP) BeginAdding(r *http.Request, t identity.Tenant, s identity.Session) (web.Handler, error) {
	app, err := p.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return nil, err
	}
	b := p.browserAt(r, t)
	b.Session, b.Browser, b.Binding = s, s.Browser, identity.NewSecret()
	prompt, err := p.Engine.Begin(r.Context(), b.Client, journey.ForAuthenticator{Application: app})
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) error { return b.bind(w, r, prompt) }, nil
}

// enrollEnd says how a journey ended that led to an authenticator alone, or what
// keeps it from going on.
func enrollEnd(t identity.Tenant, p *journey.Prompt) templates.EnrollEnd {
	if p.Adding {
		end := templates.EnrollEnd{Why: templates.AddingRefused, Name: p.Name, Home: "/t/" + t.Slug + "/me/authenticators"}
		if why, ok := addedPages[p.Reason]; ok {
			end.Why = why
		}
		return end
	}
	end := templates.EnrollEnd{Why: templates.InvitedRefused, Name: p.Name, Until: p.Until.Time}
	if why, ok := invitedPages[p.Reason]; ok {
		end.Why = why
	}
	if end.Ready() {
		end.Home = p.Home
	}
	return end
}

// invitedPages are the words for how an enrolment by an invitation ended.
var invitedPages = map[journey.Reason]string{
	journey.ReasonEnrolled:           templates.InvitedDone,
	journey.ReasonInvitationUsed:     templates.InvitedUsed,
	journey.ReasonInvitationRevoked:  templates.InvitedRevoked,
	journey.ReasonInvitationReplaced: templates.InvitedReplaced,
	journey.ReasonInvitationExpired:  templates.InvitedExpired,
	journey.ReasonLocked:             templates.InvitedLocked,
	journey.ReasonHasAuthenticator:   templates.InvitedHas,
	journey.ReasonCancelled:          templates.InvitedCancelled,
	journey.ReasonLate:               templates.InvitedLate,
}

// addedPages are those for a further authenticator. All ways lead back to the
// person's own pages.
var addedPages = map[journey.Reason]string{
	journey.ReasonEnrolled:  templates.AddingDone,
	journey.ReasonCancelled: templates.AddingCancelled,
	journey.ReasonLate:      templates.AddingLate,
}

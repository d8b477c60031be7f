package idp

import (
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
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
		p.Site.PickLanguage(w, picked)
		return p.renderInvitation(w, r, t, http.StatusOK, templates.EnrollBegin{Secret: secret})
	}
	i, err := p.invited(r, t, secret)
	if errors.Is(err, identity.NotFound) {
		return p.renderInvitation(w, r, t, http.StatusNotFound, templates.EnrollEnd{Why: templates.InvitedUnknown})
	}
	if err != nil {
		return err
	}
	if state := i.State(p.DB.Now()); state != store.InvitationOpen {
		return p.renderInvitation(w, r, t, http.StatusGone, templates.EnrollEnd{Why: string(state)})
	}
	app, err := p.DB.Applications().ByIdentifier(r.Context(), t.ID, identity.Portal, identity.PortalIdentifier)
	if err != nil {
		return err
	}
	visit := p.visit(r, t).Visit
	v, err := p.Engine.BeginInvited(r.Context(), visit, journey.Start{Tenant: t.ID, Application: app, Request: []byte(`{}`),
		Browser: p.Site.EnsureBrowser(w, r, t), Fingerprint: web.Agent(r.UserAgent()), IP: p.Site.ClientIP(r)}, i.ID)
	if err != nil {
		return err
	}
	s := &sitting{idp: p, tenant: t, app: app, view: v}
	s.speak(r)
	return s.goOn(w, r, visit)
}

// invited finds the invitation of a secret. Wrong ones are counted by address:
// nobody guesses 130 bits, but whoever tries shall not keep the database busy.
func (p *IdP) invited(r *http.Request, t identity.Tenant, secret string) (store.Invitation, error) {
	if secret == "" { // a slip of the hand: it can be nobody's
		return store.Invitation{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	i, err := p.DB.Invitations().BySecret(r.Context(), t.ID, secret)
	if !errors.Is(err, identity.NotFound) {
		return i, err
	}
	row, failed := p.DB.Policies().Get(r.Context(), t.ID, policy.KindLimits)
	if failed != nil {
		return i, failed
	}
	limits, failed := policy.Read[policy.Limits](row.Document)
	if failed != nil {
		return i, failed
	}
	failed = p.DB.InTx(r.Context(), p.Site.AnonymousPrincipal(r, t), func(tx *store.Tx) error {
		rate := store.Rate{Kind: "wrong invitation", Max: int(limits.MailCodesPerAddress), Per: time.Hour}
		return tx.Allow(r.Context(), t.ID, rate, store.Network(p.Site.ClientIP(r)))
	})
	if failed != nil {
		return i, failed
	}
	return i, err
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

// takeInvited is take for a journey begun by an invitation: wherever it leads,
// its own address shows it.
func (s *sitting) takeInvited(w http.ResponseWriter, r *http.Request, a *answer) error {
	present, err := s.present(r)
	if err != nil {
		return err
	}
	if present {
		v, err := s.apply(w, r, a)
		if err != nil && !errors.Is(err, identity.Conflict) && s.view.Step != journey.Ended {
			return err
		}
		if err == nil {
			s.view = v
		}
	}
	return s.goOn(w, r, a.Visit)
}

// goOn does what nobody has to be asked for, and shows where the journey is:
// where there is one platform its choice is skipped (ENR-7), and once the
// authenticator is ready the journey ends.
func (s *sitting) goOn(w http.ResponseWriter, r *http.Request, visit journey.Visit) (err error) {
	rows := s.platforms(r)
	switch {
	case s.view.Step == journey.EnrollPlatform && s.view.Journey.Platform == "" && len(rows) == 1:
		_, err = s.choosePlatform(r.Context(), visit, rows[0].Platform)
	case s.view.Step == journey.Done && s.view.Journey.EndedAt.IsZero():
		_, err = s.idp.Engine.Enrolled(r.Context(), visit, s.view)
	}
	if err != nil && !errors.Is(err, identity.Conflict) && !errors.Is(err, identity.Expired) { // another tab did
		return err
	}
	http.Redirect(w, r, address(s.tenant, s.view.Journey.ID), http.StatusSeeOther)
	return nil
}

// invitationOver are the steps at which a journey that leads to an authenticator
// alone has nothing more to ask.
var invitationOver = []journey.Step{journey.Done, journey.Refused, journey.Locked, journey.Ended}

// enrollEnd says how a journey by invitation ended, or what keeps it from going
// on.
func (s *sitting) enrollEnd() templates.EnrollEnd {
	v, j := s.view, s.view.Journey
	end := templates.EnrollEnd{Why: templates.InvitedRefused, Name: j.Name}
	if j.Adding {
		return s.addedEnd(end)
	}
	state := v.Invitation.State(s.now())
	switch {
	case v.Facts.Redeemed:
		end.Why, end.Home = templates.InvitedDone, s.app.Home
	case state != store.InvitationOpen && (v.Step == journey.Ended || state != store.InvitationExpired):
		end.Why = string(state)
	case v.Step == journey.Locked && v.User.LockedAt.IsZero(): // or an operator locked it, for nobody knows how long
		end.Why, end.Until = templates.InvitedLocked, v.Facts.LockedUntil
	case v.Facts.Disabled || v.Step == journey.Locked:
	case v.Facts.Assigned > 0:
		end.Why = templates.InvitedHas
	case j.Outcome == identity.Cancelled:
		end.Why, end.Until = templates.InvitedCancelled, v.Invitation.ExpiresAt
	case v.Step == journey.Ended:
		end.Why, end.Until = templates.InvitedLate, v.Invitation.ExpiresAt
	}
	return end
}

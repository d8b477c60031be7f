package self

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/templates"
)

// A Page is one subject of the self-service pages.
type Page struct {
	Name        string // last part of its address; empty for the overview
	Parent      string // name of the page that leads to it; empty for pages in the navigation
	FreshFactor bool   // it requires a second factor at most ten minutes old, for the page and its forms
	IfHasFactor bool   // with FreshFactor: only of people who have one; others need none
	MenuOnly    bool   // it shows only links to the pages under it
	HasItems    bool   // its address may be followed by the id of an authenticator
	ItemsOnly   bool   // with HasItems: it is only of one authenticator, from whose page a link leads to it
	// Show makes the body of the page.
	Show func(pr *PageRequest) (templates.Body, error)
	// State says how the subject stands, on the card that leads to the page; nil without one.
	State func(pr *PageRequest) (templates.CardState, error)
	// Submit handles a form of the page; nil without one. An error that the
	// person can correct, of one of the shownKinds, is shown on the page; any
	// other gets the problem page.
	Submit func(pr *PageRequest) (Result, error)
}

// A PageRequest is a request for a page, with its session and user.
type PageRequest struct {
	Request   *http.Request
	Tenant    identity.Tenant
	Session   identity.Session
	User      identity.User
	Principal identity.Principal
	L         locales.Printer
	Page      Page
	Item      string // rest of the address, such as an authenticator's id; not checked
}

// Address is the address of a page of the tenant; of the overview if name is
// empty.
func (pr *PageRequest) Address(name string) string {
	return strings.TrimSuffix("/t/"+pr.Tenant.Slug+"/me/"+name, "/")
}

// Origin is the origin of the request, for mails and events.
func (pr *PageRequest) Origin(now time.Time) templates.Origin {
	return templates.Origin{IP: pr.Principal.IP, Browser: web.Agent(pr.Request.UserAgent()), At: now}
}

// UseFormOnce uses up the submitted form in the transaction of its effect, so
// that a form sent twice has its effect once. The second time it fails with a
// Conflict.
func (pr *PageRequest) UseFormOnce(tx *store.Tx) error {
	form := pr.Session.ID + " " + pr.Page.Name + " " + pr.Request.PostFormValue("state")
	return tx.UseOnce(pr.Request.Context(), pr.Tenant.ID, "self-service form", form, pr.Session.ExpiresAt)
}

// A Result is what a form leads to: a redirect to a page, or a page that is
// shown at once because its content is shown a single time and stored nowhere.
type Result struct {
	Page    string // name of the page to redirect to, with its item after a slash if there is one; empty for the overview
	Message string // message on that page: the end of the locale key me.said.{Message}; may be empty

	Body templates.Body // if not nil, shown at once instead

	Handler web.Handler // if not nil, answers the request instead
}

// errStepUp means that a form needs a fresh second factor: the person completes
// it and comes back to the page.
var errStepUp = errors.New("portal: a fresh second factor is needed")

// shownKinds are the kinds of error that are shown on the page.
var shownKinds = []error{identity.Invalid, identity.Conflict, identity.Throttled}

// load finds the page, session and user of a request. If the person has to sign
// in or complete a factor first, it answers the request itself and returns nil.
func (p *Portal) load(w http.ResponseWriter, r *http.Request) (*PageRequest, error) {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	page, ok := p.page(r.PathValue("page"))
	if item := r.PathValue("item"); !ok || item != "" && !page.HasItems || item == "" && page.ItemsOnly {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	pr := &PageRequest{Request: r, Tenant: t, Page: page, Item: r.PathValue("item")}
	pr.Session, err = p.session(r, t)
	if errors.Is(err, identity.Unauthenticated) {
		http.Redirect(w, r, p.loginAddress(pr, false), http.StatusSeeOther)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	asks := page.FreshFactor
	if page.IfHasFactor {
		if asks, err = p.hasFactor(r, pr.Session); err != nil {
			return nil, err
		}
	}
	if asks {
		ok, err := p.completedFactor(r, pr.Session, freshFactor)
		if err != nil {
			return nil, err
		}
		if !ok {
			http.Redirect(w, r, p.loginAddress(pr, true), http.StatusSeeOther)
			return nil, nil
		}
	}
	if pr.User, err = p.DB.Users().Get(r.Context(), t.ID, pr.Session.UserID); err != nil {
		return nil, err
	}
	pr.Principal = identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: pr.User.ID, IP: p.Site.ClientIP(r)}
	pr.L = p.Site.Printer(r, pr.User.Language, "", t.Language)
	if pr.Session.Stale(p.DB.Now()) {
		err = p.DB.InTx(r.Context(), pr.Principal, func(tx *store.Tx) error { return tx.Sessions().Touch(r.Context(), pr.Session) })
	}
	return pr, err
}

// loginAddress is the address of the login that asks for what is missing. It
// names the page to come back to, which must be one of the list of pages and is
// never an address (T-LOG-21), and the authenticator whose page it is.
func (p *Portal) loginAddress(pr *PageRequest, fresh bool) string {
	to := "/t/" + pr.Tenant.Slug + "/login"
	if pr.Page.Name != "" {
		to += "?for=" + pr.Page.Name
		if fresh {
			to += "&fresh=1"
		}
		if identity.IsID(identity.AuthenticatorID, pr.Item) {
			to += "&item=" + pr.Item
		}
	}
	return to
}

// get handles every GET.
func (p *Portal) get(w http.ResponseWriter, r *http.Request) error {
	pr, err := p.load(w, r)
	if pr == nil || err != nil {
		return err
	}
	said := "me.said." + r.URL.Query().Get("said")
	if !pr.L.Has(said) { // only known messages: anybody can put words into a link
		said = ""
	}
	body, err := pr.Page.Show(pr)
	if err != nil {
		return err
	}
	return p.render(w, pr, http.StatusOK, templates.Page{Notice: said, Body: body})
}

// post handles every POST: signing out and picking a language, which all pages
// offer, and the forms of the page.
func (p *Portal) post(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	pr, err := p.load(w, r)
	if pr == nil || err != nil {
		return err
	}
	if language := r.PostFormValue("language"); language != "" {
		return p.setLanguage(w, pr, language)
	}
	if r.PostFormValue("do") == "logout" {
		return p.logout(w, pr)
	}
	if pr.Page.Submit == nil {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	answer, err := pr.Page.Submit(pr)
	switch {
	case errors.Is(err, errStepUp):
		http.Redirect(w, r, p.loginAddress(pr, true), http.StatusSeeOther)
		return nil
	case err != nil:
		return p.showError(w, pr, err)
	case answer.Body != nil:
		return p.render(w, pr, http.StatusOK, templates.Page{Body: answer.Body})
	case answer.Handler != nil:
		return answer.Handler(w, r)
	}
	to := pr.Address(answer.Page)
	if answer.Message != "" {
		to += "?said=" + answer.Message
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// showError shows the page again with the error of its form, if the person can
// correct it.
func (p *Portal) showError(w http.ResponseWriter, pr *PageRequest, problem error) error {
	var e *identity.Error
	if !errors.As(problem, &e) || e.Key == "" {
		return problem
	}
	for _, kind := range shownKinds {
		if !errors.Is(problem, kind) {
			continue
		}
		body, err := pr.Page.Show(pr)
		if err != nil {
			return err
		}
		return p.render(w, pr, http.StatusUnprocessableEntity, templates.Page{Problem: e.Key, Body: body})
	}
	return problem
}

// render writes a page with everything that all pages have in common.
func (p *Portal) render(w http.ResponseWriter, pr *PageRequest, status int, page templates.Page) error {
	page.Tenant, page.L, page.Languages = web.Brand(pr.Tenant), pr.L, p.Site.Catalog.Languages()
	page.Action = pr.Address(pr.Page.Name)
	if pr.Item != "" {
		page.Action += "/" + pr.Item
	}
	page.State = rand.Text() // distinguishes the forms of one session
	here := pr.Page.Name
	if pr.Page.Parent != "" {
		here = pr.Page.Parent
	}
	for _, row := range p.pages() {
		if row.Parent == "" && p.hasContent(row) {
			page.Nav = append(page.Nav, templates.NavItem{Name: row.Name, Address: pr.Address(row.Name), Here: row.Name == here})
		}
	}
	return p.Site.Render(w, pr.Request, status, page, "")
}

// cards are links to the pages under a page, each with how its subject stands.
func (p *Portal) cards(pr *PageRequest, under string) (cards []templates.NavItem, err error) {
	for _, row := range p.pages() {
		if row.Parent != under || row.Name == "" || row.ItemsOnly || !p.hasContent(row) {
			continue
		}
		card := templates.NavItem{Name: row.Name, Address: pr.Address(row.Name)}
		if card.State, err = p.state(pr, row); err != nil {
			return nil, err
		}
		cards = append(cards, card)
	}
	return cards, nil
}

// state says how the subject of a page stands. Of a page of links it is what needs
// attention on one of the pages under it.
func (p *Portal) state(pr *PageRequest, row Page) (templates.CardState, error) {
	if row.State != nil {
		return row.State(pr)
	}
	if !row.MenuOnly {
		return templates.CardState{}, nil
	}
	cards, err := p.cards(pr, row.Name)
	for _, card := range cards {
		if card.State.Alert {
			return card.State, nil
		}
	}
	return templates.CardState{}, err
}

// hasContent reports whether a page shows anything: one that only has links
// must have some.
func (p *Portal) hasContent(row Page) bool {
	return !row.MenuOnly || slices.ContainsFunc(p.pages(), func(under Page) bool { return under.Parent == row.Name && !under.ItemsOnly })
}

// setLanguage changes the language and shows the page again.
func (p *Portal) setLanguage(w http.ResponseWriter, pr *PageRequest, language string) error {
	ctx := pr.Request.Context()
	language = p.Site.Catalog.Negotiate(language, "", "", "").Lang()
	if err := p.Site.PickLanguage(w, pr.Request, language); err != nil {
		return err
	}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error { return tx.Users().SetLanguage(ctx, pr.Tenant.ID, pr.User.ID, language) })
	if err != nil {
		return err
	}
	to := pr.Address(pr.Page.Name)
	if pr.Item != "" {
		to = pr.Address(pr.Page.Name + "/" + pr.Item)
	}
	http.Redirect(w, pr.Request, to, http.StatusSeeOther)
	return nil
}

func (p *Portal) logout(w http.ResponseWriter, pr *PageRequest) error {
	if err := p.EndSession(w, pr.Request, pr.Tenant, pr.Session); err != nil {
		return err
	}
	page := templates.Page{Tenant: web.Brand(pr.Tenant), L: p.Site.Printer(pr.Request, "", "", pr.Tenant.Language), Body: templates.LoggedOut{Home: pr.Address("")}}
	return p.Site.Render(w, pr.Request, http.StatusOK, page, "")
}

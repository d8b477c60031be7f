package self

import (
	"crypto/rand"
	"errors"
	"net/http"
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
	Name  string // last part of its address; empty for the overview
	Under string // the page of the navigation that leads to it; empty where the navigation does
	Fresh bool   // it asks for a second factor at most ten minutes old, to be seen and for its forms
	Where bool   // with Fresh: of who has one; others see it without
	Leads bool   // it shows nothing but the pages under it
	Items bool   // its address may go on with the id of one thing it shows
	// Show makes the body of the page.
	Show func(v *Visit) (templates.Body, error)
	// Act takes a form of the page; nil where it has none but those of the frame.
	// An error that is the person's to mend, of a Kind that says so, is shown on
	// the page; any other is a problem page.
	Act func(v *Visit) (Answer, error)
}

// A Visit is a person at a page.
type Visit struct {
	Request *http.Request
	Tenant  identity.Tenant
	Session identity.Session
	User    identity.User
	Who     identity.Principal
	L       locales.Printer
	Page    Page
	Item    string // what the address names beyond the page, such as an authenticator's id; unchecked
}

// Address is that of a page of the visit's tenant; of the overview if name is
// empty.
func (v *Visit) Address(name string) string {
	return strings.TrimSuffix("/t/"+v.Tenant.Slug+"/me/"+name, "/")
}

// Origin says for mails and events where the visit comes from.
func (v *Visit) Origin(now time.Time) templates.Origin {
	return templates.Origin{IP: v.Who.IP, Browser: web.Agent(v.Request.UserAgent()), At: now}
}

// Once uses up the form that is being taken, in the transaction of what it does:
// sent twice, it does that once. The second time is a Conflict.
func (v *Visit) Once(tx *store.Tx) error {
	form := v.Session.ID + " " + v.Page.Name + " " + v.Request.PostFormValue("state")
	return tx.UseOnce(v.Request.Context(), v.Tenant.ID, "self-service form", form, v.Session.ExpiresAt)
}

// An Answer is what comes of a form that was taken: another page to go to, or
// one to show at once, for what is shown a single time and kept nowhere.
type Answer struct {
	To   string // name of the page, with its item behind a slash if it has one; empty for the overview
	Said string // what it says first: a word of which me.said.{word} is a text; empty for nothing

	Body templates.Body // shown at once instead, if not nil

	Elsewhere web.Handler // answers the form instead, by leading on outside these pages
}

// errStepUp says that an act needs a second factor, or a fresh one: the person
// proves it and comes back to the page.
var errStepUp = errors.New("portal: a fresh second factor is needed")

// shows are the kinds of error that a page says itself.
var shows = []error{identity.Invalid, identity.Conflict, identity.Throttled}

// visit finds the page a request is for and who is there. It answers the request
// itself, with nil for a visit, where the person has to prove something first.
func (p *Portal) visit(w http.ResponseWriter, r *http.Request) (*Visit, error) {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	page, ok := p.page(r.PathValue("page"))
	if !ok || r.PathValue("item") != "" && !page.Items {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	v := &Visit{Request: r, Tenant: t, Page: page, Item: r.PathValue("item")}
	v.Session, err = p.session(r, t)
	if errors.Is(err, identity.Unauthenticated) {
		http.Redirect(w, r, p.login(v, false), http.StatusSeeOther)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	asks := page.Fresh
	if page.Where {
		if asks, err = p.holds(r, v.Session); err != nil {
			return nil, err
		}
	}
	if asks {
		ok, err := p.factor(r, v.Session, fresh)
		if err != nil {
			return nil, err
		}
		if !ok {
			http.Redirect(w, r, p.login(v, true), http.StatusSeeOther)
			return nil, nil
		}
	}
	if v.User, err = p.DB.Users().Get(r.Context(), t.ID, v.Session.UserID); err != nil {
		return nil, err
	}
	v.Who = identity.Principal{Tenant: t.ID, Kind: identity.Person, ID: v.User.ID, IP: p.Site.ClientIP(r)}
	v.L = p.Site.Printer(r, v.User.Language, "", t.Language)
	if v.Session.Stale(p.DB.Now()) {
		err = p.DB.InTx(r.Context(), v.Who, func(tx *store.Tx) error { return tx.Sessions().Touch(r.Context(), v.Session) })
	}
	return v, err
}

// login is where a person proves what is missing. It names the page to come back
// to, of the closed list of pages, and never an address (T-LOG-21).
func (p *Portal) login(v *Visit, fresh bool) string {
	to := "/t/" + v.Tenant.Slug + "/login"
	if v.Page.Name != "" {
		to += "?for=" + v.Page.Name
		if fresh {
			to += "&fresh=1"
		}
	}
	return to
}

// show is every GET.
func (p *Portal) show(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(w, r)
	if v == nil || err != nil {
		return err
	}
	said := "me.said." + r.URL.Query().Get("said")
	if !v.L.Has(said) { // words anybody may put into a link are not ours
		said = ""
	}
	body, err := v.Page.Show(v)
	if err != nil {
		return err
	}
	return p.render(w, v, http.StatusOK, templates.Page{Notice: said, Body: body})
}

// act is every POST: signing out and another language, which all pages offer,
// and what the page does itself.
func (p *Portal) act(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	v, err := p.visit(w, r)
	if v == nil || err != nil {
		return err
	}
	if language := r.PostFormValue("language"); language != "" {
		return p.speak(w, v, language)
	}
	if r.PostFormValue("do") == "logout" {
		return p.logout(w, v)
	}
	if v.Page.Act == nil {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	answer, err := v.Page.Act(v)
	switch {
	case errors.Is(err, errStepUp):
		http.Redirect(w, r, p.login(v, true), http.StatusSeeOther)
		return nil
	case err != nil:
		return p.refuse(w, v, err)
	case answer.Body != nil:
		return p.render(w, v, http.StatusOK, templates.Page{Body: answer.Body})
	case answer.Elsewhere != nil:
		return answer.Elsewhere(w, r)
	}
	to := v.Address(answer.To)
	if answer.Said != "" {
		to += "?said=" + answer.Said
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// refuse shows the page again with what kept its form from being taken, if the
// person can do something about that.
func (p *Portal) refuse(w http.ResponseWriter, v *Visit, problem error) error {
	var e *identity.Error
	if !errors.As(problem, &e) || e.Key == "" {
		return problem
	}
	for _, kind := range shows {
		if !errors.Is(problem, kind) {
			continue
		}
		body, err := v.Page.Show(v)
		if err != nil {
			return err
		}
		return p.render(w, v, http.StatusUnprocessableEntity, templates.Page{Problem: e.Key, Body: body})
	}
	return problem
}

// render puts a page into the frame.
func (p *Portal) render(w http.ResponseWriter, v *Visit, status int, page templates.Page) error {
	page.Tenant, page.L, page.Languages = web.Brand(v.Tenant), v.L, p.Site.Catalog.Languages()
	page.Action = v.Address(v.Page.Name)
	if v.Item != "" {
		page.Action += "/" + v.Item
	}
	page.State = rand.Text() // tells two forms of one session apart
	here := v.Page.Name
	if v.Page.Under != "" {
		here = v.Page.Under
	}
	for _, row := range p.pages() {
		if row.Under == "" && p.worth(v, row) {
			page.Nav = append(page.Nav, templates.NavItem{Name: row.Name, Address: v.Address(row.Name), Here: row.Name == here})
		}
	}
	return p.Site.Render(w, v.Request, status, page, "")
}

// cards are the pages that a page leads to.
func (p *Portal) cards(v *Visit, under string) []templates.NavItem {
	var cards []templates.NavItem
	for _, row := range p.pages() {
		if row.Under == under && row.Name != "" && p.worth(v, row) {
			cards = append(cards, templates.NavItem{Name: row.Name, Address: v.Address(row.Name)})
		}
	}
	return cards
}

// worth reports whether a page shows anything: one that only leads to others has
// to have some.
func (p *Portal) worth(v *Visit, row Page) bool {
	return !row.Leads || len(p.cards(v, row.Name)) > 0
}

// speak changes the language and shows the page in it.
func (p *Portal) speak(w http.ResponseWriter, v *Visit, language string) error {
	ctx := v.Request.Context()
	language = p.Site.Catalog.Negotiate(language, "", "", "").Lang()
	if err := p.Site.PickLanguage(w, v.Request, language); err != nil {
		return err
	}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error { return tx.Users().SetLanguage(ctx, v.Tenant.ID, v.User.ID, language) })
	if err != nil {
		return err
	}
	to := v.Address(v.Page.Name)
	if v.Item != "" {
		to = v.Address(v.Page.Name + "/" + v.Item)
	}
	http.Redirect(w, v.Request, to, http.StatusSeeOther)
	return nil
}

func (p *Portal) logout(w http.ResponseWriter, v *Visit) error {
	if err := p.EndSession(w, v.Request, v.Tenant, v.Session); err != nil {
		return err
	}
	page := templates.Page{Tenant: web.Brand(v.Tenant), L: p.Site.Printer(v.Request, "", "", v.Tenant.Language), Body: templates.LoggedOut{Home: v.Address("")}}
	return p.Site.Render(w, v.Request, http.StatusOK, page, "")
}

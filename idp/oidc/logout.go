package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// A leaving is a request to log out (OpenID Connect RP-Initiated Logout 1.0).
type leaving struct {
	tenant  identity.Tenant
	client  *client           // that asks; nil when it does not say, or is not known
	target  string            // where people go next: registered, with the state; empty is a page of ours
	stray   bool              // it asked for an address that is not its
	sid     string            // of the ID token of ours it showed; empty when it showed none
	session *identity.Session // the browser's; nil when there is none
	fields  []templates.Field // what to ask again
}

// logoutByPost turns a POST into a GET: cookies are not sent with another
// site's POST, so only the GET knows whose session it is.
func (f *Face) logoutByPost(w http.ResponseWriter, r *http.Request) error {
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return err
	}
	if err := web.Form(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, f.idp.Site.URL(t, logoutPath[1:])+"?"+r.Form.Encode(), http.StatusSeeOther)
	return nil
}

// logout ends the session if the application proves, by the ID token of this
// very session, that it is the one people are logged in to. Whatever proves
// less could be any page on the web, so the person is asked.
func (f *Face) logout(w http.ResponseWriter, r *http.Request) error {
	l, err := f.leaving(w, r)
	if err != nil {
		return err
	}
	if l.session == nil {
		return f.left(w, r, l)
	}
	ours, err := f.ofThisSession(r.Context(), l)
	if err != nil {
		return err
	}
	if ours && !l.stray {
		return f.leave(w, r, l)
	}
	user, err := f.idp.DB.Users().Get(r.Context(), l.tenant.ID, l.session.UserID)
	if err != nil {
		return err
	}
	page := f.page(r, l)
	page.Action = f.idp.Site.URL(l.tenant, confirmPath[1:])
	page.Body = templates.LogoutConfirm{Application: l.name(), Name: user.Name, Fields: l.fields}
	return f.idp.Site.Render(w, r, http.StatusOK, page, origin(l.target))
}

// confirmLogout takes the person's answer. It stands behind web.Site.SameOrigin:
// no other page can press the button.
func (f *Face) confirmLogout(w http.ResponseWriter, r *http.Request) error {
	l, err := f.leaving(w, r)
	if err != nil {
		return err
	}
	switch {
	case r.PostForm.Get("do") == "logout":
		return f.leave(w, r, l)
	case l.client != nil && l.client.app.Home != "":
		http.Redirect(w, r, l.client.app.Home, http.StatusSeeOther)
	default:
		http.Redirect(w, r, f.idp.Site.URL(l.tenant, "me"), http.StatusSeeOther)
	}
	return nil
}

// leaving reads a request to log out. What is wrong in it is left out, and
// proves nothing.
func (f *Face) leaving(w http.ResponseWriter, r *http.Request) (*leaving, error) {
	if err := web.Form(w, r); err != nil {
		return nil, err
	}
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	if name, ok := repeated(r.Form); ok {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: errors.New("oidc: " + name + " is there twice")}
	}
	l := &leaving{tenant: t}
	if session, err := f.idp.Site.Session(r, t); err == nil {
		l.session = &session
	} else if !errors.Is(err, identity.Unauthenticated) {
		return nil, err
	}
	id := r.Form.Get("client_id")
	if token := r.Form.Get("id_token_hint"); token != "" {
		s, err := f.server(r)
		if err != nil {
			return nil, err
		}
		claims, ok := s.hinted(r.Context(), token)
		if ok && (id == "" || id == claims.AuthorizedParty) {
			id, l.sid = claims.AuthorizedParty, claims.SessionID
		}
	}
	if l.client, err = f.client(r.Context(), t, id); errors.Is(err, identity.NotFound) {
		l.client = nil
	} else if err != nil {
		return nil, err
	}
	state := r.Form.Get("state")
	if uri := r.Form.Get("post_logout_redirect_uri"); uri != "" {
		if l.client != nil && l.client.config.Allows(l.client.config.PostLogoutURIs, uri) && len(state) <= maxEcho {
			l.target = uri
			if state != "" {
				l.target = withQuery(uri, url.Values{"state": {state}})
			}
		} else {
			l.stray = true
		}
	}
	for _, name := range []string{"client_id", "id_token_hint", "post_logout_redirect_uri", "state", "ui_locales"} {
		if value := r.Form.Get(name); value != "" {
			l.fields = append(l.fields, templates.Field{Name: name, Value: value})
		}
	}
	return l, nil
}

// ofThisSession reports whether the ID token shown is of the browser's session:
// a sid is one session's at one application.
func (f *Face) ofThisSession(ctx context.Context, l *leaving) (bool, error) {
	if l.client == nil || l.sid == "" {
		return false, nil
	}
	for a, err := range f.idp.DB.Sessions().Applications(ctx, l.tenant.ID, l.session.ID) {
		if err != nil {
			return false, err
		}
		if a.Application == l.client.app.ID && a.Index == l.sid {
			return true, nil
		}
	}
	return false, nil
}

// leave ends the session, if there is one, and sends the person on.
func (f *Face) leave(w http.ResponseWriter, r *http.Request, l *leaving) error {
	if l.session != nil {
		if err := f.idp.EndSession(w, r, l.tenant, *l.session); err != nil {
			return err
		}
	}
	return f.left(w, r, l)
}

// left sends somebody without a session on: to the application, if it
// registered the address, else to a page.
func (f *Face) left(w http.ResponseWriter, r *http.Request, l *leaving) error {
	if l.target != "" {
		http.Redirect(w, r, l.target, http.StatusSeeOther)
		return nil
	}
	page := f.page(r, l)
	body := templates.LoggedOut{Application: l.name()}
	if l.client != nil {
		body.Home = l.client.app.Home
	}
	page.Body = body
	return f.idp.Site.Render(w, r, http.StatusOK, page, "")
}

func (f *Face) page(r *http.Request, l *leaving) templates.Page {
	return templates.Page{L: f.idp.Site.Printer(r, "", r.Form.Get("ui_locales"), l.tenant.Language), Tenant: web.Brand(l.tenant)}
}

// name is what people know the application by; empty when none is known.
func (l *leaving) name() string {
	if l.client == nil {
		return ""
	}
	return l.client.app.Name
}

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

// A logoutRequest is a request to log out (OpenID Connect RP-Initiated Logout 1.0).
type logoutRequest struct {
	tenant        identity.Tenant
	client        *client           // the application that asks; nil if unknown
	target        string            // registered address to redirect to, with the state; empty means a page of this server
	foreignTarget bool              // it asked for an address that does not belong to it
	sid           string            // sid of the ID token it presented; empty without one
	session       *identity.Session // the browser's session; may be nil
	fields        []templates.Field // parameters of the request, for the confirmation page
}

// logoutByPost redirects a POST to a GET. Cookies are not sent with another site's POST, so only the GET knows
// the session.
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

// logout ends the session at once if the application presents an ID token of this session. Otherwise any page
// on the web could have sent the request, so the user is asked.
func (f *Face) logout(w http.ResponseWriter, r *http.Request) error {
	l, err := f.readLogoutRequest(w, r)
	if err != nil {
		return err
	}
	if l.session == nil {
		return f.afterLogout(w, r, l)
	}
	ours, err := f.ofThisSession(r.Context(), l)
	if err != nil {
		return err
	}
	if ours && !l.foreignTarget {
		return f.endSession(w, r, l)
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

// confirmLogout handles the user's answer. It is wrapped in web.Site.SameOrigin, so that no other site can
// send it.
func (f *Face) confirmLogout(w http.ResponseWriter, r *http.Request) error {
	l, err := f.readLogoutRequest(w, r)
	if err != nil {
		return err
	}
	switch {
	case r.PostForm.Get("do") == "logout":
		return f.endSession(w, r, l)
	case l.client != nil && l.client.app.Home != "":
		http.Redirect(w, r, l.client.app.Home, http.StatusSeeOther)
	default:
		http.Redirect(w, r, f.idp.Site.URL(l.tenant, "me"), http.StatusSeeOther)
	}
	return nil
}

// readLogoutRequest reads a request to log out. Invalid parameters are ignored and prove nothing.
func (f *Face) readLogoutRequest(w http.ResponseWriter, r *http.Request) (*logoutRequest, error) {
	if err := web.Form(w, r); err != nil {
		return nil, err
	}
	t, err := f.idp.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	omitEmpty(r.Form)
	if name, ok := repeated(r.Form); ok {
		return nil, &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: errors.New("oidc: " + name + " is there twice")}
	}
	l := &logoutRequest{tenant: t}
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
		claims, ok := s.verifyHint(r.Context(), token)
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
			l.foreignTarget = true
		}
	}
	for _, name := range []string{"client_id", "id_token_hint", "post_logout_redirect_uri", "state", "ui_locales"} {
		if value := r.Form.Get(name); value != "" {
			l.fields = append(l.fields, templates.Field{Name: name, Value: value})
		}
	}
	return l, nil
}

// ofThisSession reports whether the presented ID token belongs to the browser's session. A sid belongs to one
// session at one application.
func (f *Face) ofThisSession(ctx context.Context, l *logoutRequest) (bool, error) {
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

// endSession ends the session, if there is one, and redirects the user.
func (f *Face) endSession(w http.ResponseWriter, r *http.Request, l *logoutRequest) error {
	if l.session != nil {
		if err := f.idp.EndSession(w, r, l.tenant, *l.session); err != nil {
			return err
		}
	}
	return f.afterLogout(w, r, l)
}

// afterLogout redirects a user without a session: to the application if it registered the address, otherwise to a
// page.
func (f *Face) afterLogout(w http.ResponseWriter, r *http.Request, l *logoutRequest) error {
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

func (f *Face) page(r *http.Request, l *logoutRequest) templates.Page {
	return templates.Page{L: f.idp.Site.Printer(r, "", r.Form.Get("ui_locales"), l.tenant.Language), Tenant: web.Brand(l.tenant)}
}

// name returns the application's name, or "" if it is unknown.
func (l *logoutRequest) name() string {
	if l.client == nil {
		return ""
	}
	return l.client.app.Name
}

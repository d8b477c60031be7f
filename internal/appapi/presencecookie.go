package appapi

import (
	"net/http"
	"time"
)

// presenceCookie is set by the web authenticator's page while it has accounts
// (static/authenticator/presence-cookie.js), so that the page can tell if the
// browser has deleted them. It grants nothing and contains nothing else; the
// page's scripts read it.
const presenceCookie = "latchkey_authenticator"

// renewPresenceCookie sets the page's cookie again. Safari deletes cookies that
// scripts have set after a week, together with the accounts that this one is to
// outlive, but not those that a server has set.
func (app *webApp) renewPresenceCookie(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(presenceCookie); err != nil || c.Value != "1" {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: presenceCookie, Value: "1", Path: "/authenticator", MaxAge: int(400 * 24 * time.Hour / time.Second),
		SameSite: http.SameSiteStrictMode, Secure: app.site.Secure()})
}

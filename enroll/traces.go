package enroll

import (
	"net/http"
	"time"
)

// traceCookie is what the web authenticator's page sets while it holds accounts
// (static/authenticator/presence-cookie.js), so that it can tell, once a browser has
// thrown them away, that there were some. It grants nothing and says nothing
// else; the page's scripts read it.
const traceCookie = "latchkey_authenticator"

// renewTrace sets the page's cookie again. Safari ends what scripts have set
// after a week, together with the accounts it is to outlive; what a server sets
// it keeps.
func (app *webApp) renewTrace(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(traceCookie); err != nil || c.Value != "1" {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: traceCookie, Value: "1", Path: "/authenticator", MaxAge: int(400 * 24 * time.Hour / time.Second),
		SameSite: http.SameSiteStrictMode, Secure: app.kit.Secure()})
}

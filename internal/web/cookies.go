package web

import (
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// cookieName is a cookie's name in a tenant. The __Host- prefix keeps sibling
// domains from planting one; browsers accept it over https alone.
func (s *Site) cookieName(kind string, t identity.Tenant) string {
	name := "latchkey_" + kind + "_" + t.Slug
	if s.Secure() {
		return "__Host-" + name
	}
	return name
}

func (s *Site) setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: s.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// Browser returns the hash that stands for the browser in the tenant, and
// false when it brought no cookie.
func (s *Site) Browser(r *http.Request, t identity.Tenant) (string, bool) {
	c, err := r.Cookie(s.cookieName("browser", t))
	if err != nil || !identity.IsSecret(c.Value) {
		return "", false
	}
	return store.Hash(c.Value), true
}

// EnsureBrowser is Browser, giving the browser a cookie if it has none.
func (s *Site) EnsureBrowser(w http.ResponseWriter, r *http.Request, t identity.Tenant) string {
	if b, ok := s.Browser(r, t); ok {
		return b
	}
	secret := identity.NewSecret()
	s.setCookie(w, s.cookieName("browser", t), secret, 400*24*3600) // the most browsers keep
	return store.Hash(secret)
}

// Session returns the live session of a request. Without one the error is an
// identity.Unauthenticated.
func (s *Site) Session(r *http.Request, t identity.Tenant) (identity.Session, error) {
	none := &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated"}
	browser, ok := s.Browser(r, t)
	if !ok {
		return identity.Session{}, none
	}
	c, err := r.Cookie(s.cookieName("session", t))
	if err != nil || !identity.IsSecret(c.Value) {
		return identity.Session{}, none
	}
	return s.DB.Sessions().BySecret(r.Context(), t.ID, c.Value, browser)
}

// SetSession gives the browser a session's secret. It ends with the browser;
// the server ends it sooner.
func (s *Site) SetSession(w http.ResponseWriter, t identity.Tenant, secret string) {
	s.setCookie(w, s.cookieName("session", t), secret, 0)
}

// ClearSession takes the session's secret from the browser.
func (s *Site) ClearSession(w http.ResponseWriter, t identity.Tenant) {
	s.setCookie(w, s.cookieName("session", t), "", -1)
}

// Device returns the cookie of a remembered device, as it came; empty without
// one, or where it cannot be one of ours.
func (s *Site) Device(r *http.Request, t identity.Tenant) store.DeviceCookie {
	c, err := r.Cookie(s.cookieName("device", t))
	if err != nil {
		return store.DeviceCookie{}
	}
	device, ok := store.ParseDeviceCookie(c.Value)
	if !ok {
		return store.DeviceCookie{}
	}
	return device
}

// SetDevice gives the browser the cookie of a remembered device, for as long as
// it may count.
func (s *Site) SetDevice(w http.ResponseWriter, t identity.Tenant, device store.DeviceCookie, life time.Duration) {
	s.setCookie(w, s.cookieName("device", t), device.String(), int(life/time.Second))
}

package web

import (
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Browser returns the hash of the browser cookie in the tenant, and false if
// the request has none.
func (s *Site) Browser(r *http.Request, t identity.Tenant) (string, bool) {
	secret := s.Sessions.read(r, browserCookie, t.Slug)
	if !identity.IsSecret(secret) {
		return "", false
	}
	return store.Hash(secret), true
}

// EnsureBrowser is Browser, and sets a cookie if the request has none.
func (s *Site) EnsureBrowser(w http.ResponseWriter, r *http.Request, t identity.Tenant) (string, error) {
	if b, ok := s.Browser(r, t); ok {
		return b, nil
	}
	secret := identity.NewSecret()
	return store.Hash(secret), s.Sessions.write(w, r, browserCookie, t.Slug, secret, maxAge)
}

// Session returns the live session of a request. Without one the error is
// identity.Unauthenticated.
func (s *Site) Session(r *http.Request, t identity.Tenant) (identity.Session, error) {
	browser, ok := s.Browser(r, t)
	secret := s.Sessions.read(r, sessionCookie, t.Slug)
	if !ok || !identity.IsSecret(secret) {
		return identity.Session{}, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated"}
	}
	return s.DB.Sessions().BySecret(r.Context(), t.ID, secret, browser)
}

// SetSession sets the cookie with a session's secret. Browsers keep it until
// they are closed; the server ends the session sooner.
func (s *Site) SetSession(w http.ResponseWriter, r *http.Request, t identity.Tenant, secret string) error {
	return s.Sessions.write(w, r, sessionCookie, t.Slug, secret, untilBrowserEnds)
}

// ClearSession removes the session cookie.
func (s *Site) ClearSession(w http.ResponseWriter, r *http.Request, t identity.Tenant) error {
	return s.Sessions.remove(w, r, sessionCookie, t.Slug)
}

// Device returns the cookie of a remembered device; empty without one, or if it
// is malformed.
func (s *Site) Device(r *http.Request, t identity.Tenant) store.DeviceCookie {
	device, ok := store.ParseDeviceCookie(s.Sessions.read(r, deviceCookie, t.Slug))
	if !ok {
		return store.DeviceCookie{}
	}
	return device
}

// SetDevice sets the cookie of a remembered device, for as long as the device
// may be remembered.
func (s *Site) SetDevice(w http.ResponseWriter, r *http.Request, t identity.Tenant, device store.DeviceCookie, life time.Duration) error {
	return s.Sessions.write(w, r, deviceCookie, t.Slug, device.String(), int(life/time.Second))
}

// PickLanguage remembers the language that a person picked, for a year, in all
// tenants.
func (s *Site) PickLanguage(w http.ResponseWriter, r *http.Request, language string) error {
	return s.Sessions.write(w, r, languageCookie, "", language, oneYear)
}

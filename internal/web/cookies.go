package web

import (
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Browser returns the hash that stands for the browser in the tenant, and
// false when it brought no cookie.
func (s *Site) Browser(r *http.Request, t identity.Tenant) (string, bool) {
	secret := s.Sessions.read(r, browserCookie, t.Slug)
	if !identity.IsSecret(secret) {
		return "", false
	}
	return store.Hash(secret), true
}

// EnsureBrowser is Browser, giving the browser a cookie if it has none.
func (s *Site) EnsureBrowser(w http.ResponseWriter, r *http.Request, t identity.Tenant) (string, error) {
	if b, ok := s.Browser(r, t); ok {
		return b, nil
	}
	secret := identity.NewSecret()
	return store.Hash(secret), s.Sessions.write(w, r, browserCookie, t.Slug, secret, longest)
}

// Session returns the live session of a request. Without one the error is an
// identity.Unauthenticated.
func (s *Site) Session(r *http.Request, t identity.Tenant) (identity.Session, error) {
	browser, ok := s.Browser(r, t)
	secret := s.Sessions.read(r, sessionCookie, t.Slug)
	if !ok || !identity.IsSecret(secret) {
		return identity.Session{}, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated"}
	}
	return s.DB.Sessions().BySecret(r.Context(), t.ID, secret, browser)
}

// SetSession gives the browser a session's secret. It ends with the browser;
// the server ends it sooner.
func (s *Site) SetSession(w http.ResponseWriter, r *http.Request, t identity.Tenant, secret string) error {
	return s.Sessions.write(w, r, sessionCookie, t.Slug, secret, untilBrowserEnds)
}

// ClearSession takes the session's secret from the browser.
func (s *Site) ClearSession(w http.ResponseWriter, r *http.Request, t identity.Tenant) error {
	return s.Sessions.drop(w, r, sessionCookie, t.Slug)
}

// Device returns the cookie of a remembered device, as it came; empty without
// one, or where it cannot be one of ours.
func (s *Site) Device(r *http.Request, t identity.Tenant) store.DeviceCookie {
	device, ok := store.ParseDeviceCookie(s.Sessions.read(r, deviceCookie, t.Slug))
	if !ok {
		return store.DeviceCookie{}
	}
	return device
}

// SetDevice gives the browser the cookie of a remembered device, for as long as
// it may count.
func (s *Site) SetDevice(w http.ResponseWriter, r *http.Request, t identity.Tenant, device store.DeviceCookie, life time.Duration) error {
	return s.Sessions.write(w, r, deviceCookie, t.Slug, device.String(), int(life/time.Second))
}

// PickLanguage keeps the language a person picked, for a year, in all tenants.
func (s *Site) PickLanguage(w http.ResponseWriter, r *http.Request, language string) error {
	return s.Sessions.write(w, r, languageCookie, "", language, aYear)
}

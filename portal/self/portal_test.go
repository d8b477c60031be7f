package self_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
	"github.com/latchkey-id/latchkey/portal/self"
)

// A session that another application began does not open the self-service
// pages: it may have fewer factors than policy requires for them.
func TestJRN8_TheSelfServicePageWantsItsOwnLogin(t *testing.T) {
	h := storetest.SQLite(t)
	site := webtest.Site(t, h.DB, "http://localhost")
	mux := http.NewServeMux()
	(&self.Portal{Site: site, DB: h.DB}).Routes(mux)
	self := identity.Application{Tenant: h.Tenant.ID, ID: identity.NewID(identity.ApplicationID), Name: "Self-service",
		Protocol: identity.Portal, Identifier: "me", Config: []byte(`{}`)}
	browser, cookies := browserCookies(t, site, h.Tenant)
	secret := identity.NewSecret()
	s := identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: browser,
		AuthTime: h.Clock.Now(), Idle: time.Hour, ExpiresAt: h.Clock.Now().Add(time.Hour)}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Applications().Add(t.Context(), self); err != nil {
			return err
		}
		return tx.Sessions().Save(t.Context(), s, secret)
	})
	opened := func() (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/t/demo/me", nil)
		for _, c := range cookies(secret) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Location")
	}
	for _, tt := range []struct {
		app  identity.Application
		want int
	}{{h.Application, http.StatusSeeOther}, {self, http.StatusOK}} {
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Sessions().Join(t.Context(), h.Tenant.ID, identity.SessionApplication{Session: s.ID, Application: tt.app.ID,
				Protocol: tt.app.Protocol, Index: identity.NewID(identity.SessionID)})
			return err
		})
		if code, to := opened(); code != tt.want || code == http.StatusSeeOther && to != "/t/demo/login" {
			t.Errorf("after logging in to %s: %d to %q, want %d", tt.app.Name, code, to, tt.want)
		}
	}
}

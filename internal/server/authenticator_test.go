package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// With an address of its own the web authenticator and its API are there, and
// nothing else is: an operator's page at the same origin could use its keys. The
// base leads there. With answer's condition taken out, the first rows fail.
func TestAuthenticatorAtItsOwnAddress(t *testing.T) {
	c := found(t)
	c.AuthenticatorURL = "http://[::1]:8080"
	s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	base, err := c.Base()
	if err != nil {
		t.Fatal(err)
	}
	const own = "[::1]:8080"
	for _, tt := range []struct {
		host, path string
		status     int
		location   string
	}{
		{own, "/authenticator/", 200, ""},
		{own, "/authenticator/sw.js", 200, ""},
		{own, "/api/authenticator/v1/status", 401, ""},
		{own, "/", 303, "http://[::1]:8080/authenticator/"},
		{own, "/t/example/me", 404, ""},
		{own, "/t/example/.well-known/openid-configuration", 404, ""},
		{own, "/healthz", 404, ""},
		{base.Host, "/authenticator/", 308, "http://[::1]:8080/authenticator/"},
		{base.Host, "/authenticator", 308, "http://[::1]:8080/authenticator/"},
		{base.Host, "/authenticator/sw.js", 404, ""},
		{base.Host, "/api/authenticator/v1/status", 404, ""},
		{base.Host, "/t/example/.well-known/openid-configuration", 200, ""},
		{base.Host, "/healthz", 200, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Location") != tt.location {
			t.Errorf("%s%s: %d to %q, want %d to %q", tt.host, tt.path, w.Code, w.Header().Get("Location"), tt.status, tt.location)
		}
	}
	if got := s.Site.AuthenticatorOrigin(); got != "http://"+own {
		t.Errorf("activations lead to %s", got)
	}
}

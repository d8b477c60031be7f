package server

import (
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/static"
)

// mountAuthenticator mounts the web authenticator and the apps' API: on the root mux,
// or on one of their own where the configuration gives them an address of their own.
// Browsers keep the authenticator's keys for an origin, and whatever else is at that
// origin could use them.
func (s *Server) mountAuthenticator(root *http.ServeMux, app http.Handler) {
	at := root
	if s.Site.Authenticator != nil {
		s.authenticatorMux = http.NewServeMux()
		at = s.authenticatorMux
		home := s.Site.AuthenticatorOrigin() + "/authenticator/"
		at.Handle("GET "+static.Prefix, static.Handler())
		s.proof(at)
		at.Handle("GET /{$}", http.RedirectHandler(home, http.StatusSeeOther))
		// Links that are out already still lead there: browsers take the fragment,
		// with the activation in it, along.
		moved := http.RedirectHandler(home, http.StatusPermanentRedirect)
		root.Handle("GET /authenticator", moved)
		root.Handle("GET /authenticator/{$}", moved)
	}
	at.Handle(appapi.Path, s.apps.Handler())
	at.Handle("/authenticator", app)
	at.Handle("/authenticator/", app)
}

// answer passes a request to the mux of the authenticator if it was sent to its host,
// and to the root mux otherwise. The sender chooses the Host header, but can only
// choose between the two, and both are public.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if s.authenticatorMux != nil && strings.EqualFold(r.Host, s.Site.Authenticator.Host) {
		s.authenticatorMux.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

package server

import (
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/static"
)

// mountAuthenticator puts the web authenticator and the apps' API into the
// house, or into an annexe of their own where the configuration gives them an
// address: browsers keep its keys for an origin, and what else is at that origin
// could use them.
func (s *Server) mountAuthenticator(house *http.ServeMux, app http.Handler) {
	at := house
	if s.Site.Authenticator != nil {
		s.annexe = http.NewServeMux()
		at = s.annexe
		home := s.Site.AuthenticatorOrigin() + "/authenticator/"
		at.Handle("GET "+static.Prefix, static.Handler())
		at.Handle("GET /{$}", http.RedirectHandler(home, http.StatusSeeOther))
		// Links that are out already still lead there: browsers take the fragment,
		// with the activation in it, along.
		moved := http.RedirectHandler(home, http.StatusPermanentRedirect)
		house.Handle("GET /authenticator", moved)
		house.Handle("GET /authenticator/{$}", moved)
	}
	at.Handle(enroll.Path, s.apps.Handler())
	at.Handle("/authenticator", app)
	at.Handle("/authenticator/", app)
}

// answer leads a request to the annexe if that is what it was sent to, and to
// the house else. The Host header is the sender's to choose; all it can choose is
// which of the two doors, both public, it comes to.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if s.annexe != nil && strings.EqualFold(r.Host, s.Site.Authenticator.Host) {
		s.annexe.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

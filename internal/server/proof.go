package server

import (
	"encoding/json"
	"net/http"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// ProofPath answers the challenge of who wants to know whether this very installation
// answers at an address: a server of the same kind with the same name, an old one behind
// a proxy that was forgotten, or one whose database was restored elsewhere cannot.
const ProofPath = "/.well-known/latchkey-installation"

// Lengths of a challenge: enough for no two to be equal, and little to hash.
const (
	minChallenge = 22
	maxChallenge = 64
)

// proof mounts the answer at ProofPath.
func (s *Server) proof(mux *http.ServeMux) {
	mux.Handle("GET "+ProofPath, s.Site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		challenge := r.FormValue("challenge")
		if len(challenge) < minChallenge || len(challenge) > maxChallenge {
			return &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
		}
		p, err := s.DB.Installation().Prove(r.Context(), challenge)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		return json.NewEncoder(w).Encode(p)
	}))
}

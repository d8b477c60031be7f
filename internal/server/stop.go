package server

import (
	"context"
	"net/http"
	"time"
)

// A server that stops resets nothing that it has accepted. While it is still serving,
// /readyz says no, so that load balancers that ask send new requests elsewhere, and
// each answer ends its connection, so that those that keep connections open find
// another server for the next request. Then it takes no new connections, answers what
// has been accepted, and closes the listener: who connects from then on is refused,
// which every balancer answers by asking another server.

// handshakeTime is how long connections that were begun just before may take to be
// established.
const handshakeTime = 200 * time.Millisecond

// drain is the part of a stop in which the server still serves.
func (s *Server) drain(ctx context.Context) {
	s.stopping.Store(true)
	if s.stopDelay == 0 {
		return
	}
	s.log.InfoContext(ctx, "new requests are sent elsewhere before this server stops", "for", s.stopDelay.String())
	time.Sleep(s.stopDelay)
	if err := refuseConnections(s.public); err != nil {
		s.log.InfoContext(ctx, "connections that are made in the moment of the stop may be reset", "err", err)
		return
	}
	time.Sleep(handshakeTime)
}

// endConnections has each answer end its connection while the server stops.
func (s *Server) endConnections(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

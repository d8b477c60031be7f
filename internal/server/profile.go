package server

import (
	"net/http"
	"net/http/pprof"
	"time"
)

// profileTimeout is how long the second address takes over an answer: a profile
// is written when its time is up, which may be two minutes.
const profileTimeout = 150 * time.Second

// profiling mounts where the time and the memory go. It stands on the second
// address alone: a heap holds secrets, and a profile slows everybody down.
func profiling(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and each profile by its name
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
}

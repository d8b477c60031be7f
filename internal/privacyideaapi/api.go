// Package privacyideaapi is what the privacyIDEA Authenticator calls (PUSH-24). Package
// privacyidea has the messages; here is what they do. An app registers once, for the
// enrolment it scanned; it polls for requests, signing the time of the poll; and it
// answers them, signing the answer. Nothing is ever sent to it.
//
// Whatever is wrong with a call, the answer is the same: who knows a serial, or
// guesses one, learns neither whether there is such an authenticator nor why its
// signature does not count.
package privacyideaapi

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
)

// An API answers the privacyIDEA Authenticator for all tenants.
type API struct {
	site *web.Site
	db   *store.DB

	// making bounds how many keys are made at once, each for half a second of
	// one core.
	making chan struct{}
	newKey func() (*rsa.PrivateKey, error)
}

// New returns the API of a site.
func New(k *web.Site, db *store.DB) *API {
	return &API{site: k, db: db, making: make(chan struct{}, runtime.NumCPU()), newKey: newServerKey}
}

// Routes mounts it. It stands outside web.Site.SameOrigin: apps are no browsers,
// and what they send is signed.
func (p *API) Routes(mux *http.ServeMux) {
	mux.Handle("GET /t/{tenant}/"+privacyidea.Path, p)
	mux.Handle("POST /t/{tenant}/"+privacyidea.Path, p)
}

// errUnverified is said of all that is refused. Its cause is for the log.
func errUnverified(cause error) error {
	return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: cause}
}

// refusedCalls is how many refused calls of an address are borne before it is
// turned away unheard. Apps ask every three seconds, and many may share one.
var refusedCalls = store.Rate{Kind: "privacyidea refused", Max: 300, Per: time.Minute}

// piReply is the JSON of an answer.
type piReply struct {
	Version string   `json:"jsonrpc"`
	ID      int      `json:"id"`
	Result  piResult `json:"result"`
	Detail  any      `json:"detail,omitempty"`
}

type piResult struct {
	Status bool     `json:"status"`
	Value  any      `json:"value,omitempty"`
	Error  *piError `json:"error,omitempty"`
}

type piError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ServeHTTP answers an app.
func (p *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	value, detail, err := p.serve(w, r)
	if err == nil {
		web.WriteJSON(w, http.StatusOK, piReply{Version: "2.0", ID: 1, Result: piResult{Status: true, Value: value}, Detail: detail})
		return
	}
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[*identity.Error](err); ok {
		switch status = web.Status(e.Kind); e.Kind {
		case identity.Internal, identity.Unavailable, identity.Throttled:
		default:
			status = http.StatusBadRequest
		}
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
		}
	}
	if status >= http.StatusInternalServerError && r.Context().Err() == nil {
		p.site.Log.ErrorContext(r.Context(), "privacyIDEA Authenticator's call failed", "path", r.URL.Path, "err", err)
	} else {
		p.site.Log.InfoContext(r.Context(), "privacyIDEA Authenticator's call refused", "path", r.URL.Path, "status", status, "why", err)
	}
	web.WriteJSON(w, status, piReply{Version: "2.0", ID: 1, Result: piResult{Error: &piError{Code: 1, Message: "could not verify signature"}}})
}

// serve does what a call asks for, unless its address is turned away, and counts
// a call that is refused.
func (p *API) serve(w http.ResponseWriter, r *http.Request) (value, detail any, err error) {
	ctx := r.Context()
	t, err := p.site.Tenant(r)
	if err != nil {
		return nil, nil, err
	}
	from := store.Network(p.site.ClientIP(r))
	wait, err := p.db.RetryAfter(ctx, t.ID, refusedCalls, from)
	if err != nil {
		return nil, nil, err
	}
	if wait > 0 {
		return nil, nil, &identity.Error{Kind: identity.Throttled, Key: "error.throttled", RetryAfter: wait}
	}
	value, detail, err = p.call(w, r, t)
	if e, ok := errors.AsType[*identity.Error](err); ok && e.Kind == identity.Forbidden {
		hit := p.db.InTx(ctx, p.site.AnonymousPrincipal(r, t), func(tx *store.Tx) error { return tx.Allow(ctx, t.ID, refusedCalls, from) })
		if hit != nil && !errors.Is(hit, identity.Throttled) {
			return nil, nil, hit
		}
	}
	return value, detail, err
}

// call does what a call asks for.
func (p *API) call(w http.ResponseWriter, r *http.Request, t identity.Tenant) (value, detail any, err error) {
	if r.Method != http.MethodPost {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, nil, errUnverified(err)
		}
		value, err = p.poll(r, t, query)
		return value, nil, err
	}
	if err := web.Form(w, r); err != nil {
		return nil, nil, errUnverified(err)
	}
	if privacyidea.IsRegistration(r.PostForm) {
		detail, err = p.register(r, t, r.PostForm)
		return true, detail, err
	}
	value, err = p.answer(r, t, r.PostForm)
	return value, nil, err
}

// app returns the active authenticator of a serial, and its key.
func (p *API) app(ctx context.Context, t identity.Tenant, serial string) (identity.Authenticator, *rsa.PublicKey, error) {
	a, err := p.db.Authenticators().BySerial(ctx, t.ID, serial)
	switch {
	case errors.Is(err, identity.NotFound):
		return a, nil, errUnverified(err)
	case err != nil:
		return a, nil, err
	case a.Protocol != identity.PrivacyIDEAPush:
		return a, nil, errUnverified(fmt.Errorf("privacyideaapi: %s speaks another protocol", serial))
	case a.State() != identity.Active:
		return a, nil, errUnverified(fmt.Errorf("privacyideaapi: %s is %s", serial, a.State()))
	}
	key, err := privacyidea.ParseKey(string(a.Key))
	if err != nil {
		return a, nil, fmt.Errorf("privacyideaapi: key of %s: %w", a.ID, err)
	}
	return a, key, nil
}

// principal is who acts in an app's call.
func (p *API) principal(r *http.Request, a identity.Authenticator) identity.Principal {
	return identity.Principal{Tenant: a.Tenant, Kind: identity.AuthenticatorApp, ID: a.ID, Name: a.Serial, IP: p.site.ClientIP(r)}
}

package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/templates"
)

// A Site is what all HTTP faces share.
type Site struct {
	DB             *store.DB
	Catalog        *locales.Catalog
	Pages          *templates.Set
	Log            *slog.Logger
	Sessions       Sessions       // every cookie
	Base           *url.URL       // scheme and host of all addresses, without a path
	TrustedProxies []netip.Prefix // proxies that are believed about where a request came from
	UseForwarded   bool           // they say so in Forwarded (RFC 7239), not in X-Forwarded-For

	// Authenticator is the origin of the web authenticator and its API; nil if
	// it is Base.
	Authenticator *url.URL
}

// AuthenticatorOrigin is the origin of the web authenticator and its API, such
// as https://id.example.org.
func (s *Site) AuthenticatorOrigin() string {
	if s.Authenticator != nil {
		return s.Authenticator.String()
	}
	return s.Base.String()
}

// MaxBody is the maximal size of a form or JSON body, in bytes.
const MaxBody = 64 << 10

// WriteJSON writes an answer of one of our own structs, which can always be marshalled.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("web: answer %T: %v", v, err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// A Handler either writes a complete response and returns nil, or writes
// nothing and returns an error.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Handle adapts h: an error becomes a response with its status and a page in
// the reader's language, and a line in the log with the same identifier
// (QLT-6).
func (s *Site) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.RenderError(w, r, err)
		}
	})
}

// RenderError answers with the problem page for err.
func (s *Site) RenderError(w http.ResponseWriter, r *http.Request, err error) {
	p := s.Problem(w, r, err)
	page := templates.Page{Problem: p.Key, ErrorID: p.ID, Body: templates.Problem{}}
	if tenant, found := s.Tenant(r); found == nil {
		page.Tenant = Brand(tenant)
	} else {
		page.Tenant = templates.Brand{Name: "Latchkey"}
	}
	if err := s.Render(w, r, p.Status, page, ""); err != nil {
		s.Log.ErrorContext(r.Context(), "render problem", "err", err)
		http.Error(w, http.StatusText(p.Status), p.Status)
	}
}

// A Failure is what a client is told of an error.
type Failure struct {
	Status int
	Key    string // for the person
	ID     string // identifier of the log line with the cause
}

// Problem decides what the client is told of an error, sets Retry-After if the
// error has it, and writes the cause to the log.
func (s *Site) Problem(w http.ResponseWriter, r *http.Request, err error) Failure {
	p := Failure{Status: http.StatusInternalServerError, Key: "error.internal", ID: strings.ToLower(rand.Text()[:10])}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = &identity.Error{Kind: identity.TooLarge, Err: err}
	}
	var e *identity.Error
	if errors.As(err, &e) {
		p.Status = Status(e.Kind)
		if e.Kind != identity.Internal {
			if p.Key = e.Key; p.Key == "" {
				p.Key = "error." + strings.ReplaceAll(e.Kind.Error(), " ", "")
			}
		}
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
		}
	}
	level := slog.LevelInfo
	switch {
	case p.Status == http.StatusServiceUnavailable: // too much to do, or no database: no defect, and a flood is not to fill the log with any
		level = slog.LevelWarn
	case p.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if r.Context().Err() == nil { // no log line if the client has closed the connection
		s.Log.Log(r.Context(), level, "request failed", "id", p.ID, "method", r.Method, "route", r.Pattern, "status", p.Status, "err", err)
	}
	return p
}

// Status is the HTTP status of a kind of error.
func Status(kind identity.Kind) int {
	switch kind {
	case identity.Invalid:
		return http.StatusBadRequest
	case identity.Unauthenticated:
		return http.StatusUnauthorized
	case identity.Forbidden:
		return http.StatusForbidden
	case identity.NotFound:
		return http.StatusNotFound
	case identity.Conflict:
		return http.StatusConflict
	case identity.Expired:
		return http.StatusGone
	case identity.Throttled:
		return http.StatusTooManyRequests
	case identity.TooLarge:
		return http.StatusRequestEntityTooLarge
	case identity.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Brand is the brand on a tenant's pages.
func Brand(t identity.Tenant) templates.Brand {
	return templates.Brand{Name: t.OrganisationName(), Help: t.HelpContact}
}

// Render writes a page completely or not at all. formAction is the other origin
// to which the page's forms may lead, directly or by redirect: Chromium applies
// form-action to redirects too, so an application's origin must be given for
// every page whose form may end there.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, page templates.Page, formAction string) error {
	if page.L == (locales.Printer{}) {
		page.L = s.Printer(r, "", "", "")
	}
	var b bytes.Buffer
	if err := s.Pages.Render(&b, page); err != nil {
		return err
	}
	setPolicy(w.Header(), formAction)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the client may have closed the connection
	return nil
}

// Printer chooses the language of a page: the one picked in this journey or
// browser, that of the application's request, the browser's, the tenant's,
// English (ENR-13).
func (s *Site) Printer(r *http.Request, picked, uiLocales, tenant string) locales.Printer {
	if picked == "" {
		picked = s.PickedLanguage(r)
	}
	return s.Catalog.Negotiate(picked, uiLocales, r.Header.Get("Accept-Language"), tenant)
}

// PickedLanguage is the tag of the language picked in this browser; empty if none
// was.
func (s *Site) PickedLanguage(r *http.Request) string { return s.Sessions.read(r, languageCookie, "") }

// Tenant returns the tenant a request's address names.
func (s *Site) Tenant(r *http.Request) (identity.Tenant, error) {
	slug := r.PathValue("tenant")
	// A slug has lower-case letters, digits and hyphens. Other characters in an
	// address, such as NUL, would be an internal error with PostgreSQL.
	if slug == "" || len(slug) > 64 || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return identity.Tenant{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	return s.DB.TenantBySlug(r.Context(), slug)
}

// URL is the absolute address of a path of a tenant, such as "saml/metadata".
func (s *Site) URL(t identity.Tenant, path string) string {
	return s.Base.String() + "/t/" + t.Slug + "/" + path
}

// Secure reports whether the server is reached by https. Plain http is only for
// loopback, where cookies have neither Secure nor the __Host- prefix.
func (s *Site) Secure() bool { return s.Base.Scheme == "https" }

// ClientIP is ClientAddress as text; empty if unknown.
func (s *Site) ClientIP(r *http.Request) string {
	if a := s.ClientAddress(r); a.IsValid() {
		return a.String()
	}
	return ""
}

// AnonymousPrincipal is the principal of a request before its user is known.
func (s *Site) AnonymousPrincipal(r *http.Request, t identity.Tenant) identity.Principal {
	return identity.Principal{Tenant: t.ID, Kind: identity.Browser, IP: s.ClientIP(r)}
}

// Form parses a form of at most MaxBody bytes. Fields are then read with
// PostFormValue.
func Form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &identity.Error{Kind: identity.TooLarge, Key: "error.toolarge", Err: err}
		}
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	return nil
}

// Recover turns a panic into a log line and a problem page. It is the last
// resort: no input is known to cause a panic.
func (s *Site) Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				s.Log.ErrorContext(context.WithoutCancel(r.Context()), "panic", "route", r.Pattern, "cause", cause)
				s.RenderError(w, r, errors.New("panic"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

package web

import (
	"net/http"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Sessions is the sessions.Store of every cookie that the server sets for
// itself. A cookie holds one short value, a secret as a rule, which is the ID of
// its gorilla session; Values stay empty. It is signed, not encrypted.
//
// The store keeps nothing and reads nothing but the cookie: what a sign-in
// session, a journey or a remembered device is, is a row, written in the
// transaction it belongs to and found by the hash of the secret.
//
// The zero Sessions reads no cookie and sets none.
type Sessions struct {
	codecs []securecookie.Codec // of the newest key first: it encodes, all decode
	secure bool
}

var _ sessions.Store = Sessions{}

// NewSessions returns the store for keys of 32 bytes, the newest first. secure
// says that the server is reached by https; on loopback without it cookies carry
// neither Secure nor the __Host- prefix.
func NewSessions(keys [][]byte, secure bool) Sessions {
	s := Sessions{secure: secure}
	for _, key := range keys {
		// Age 0: a cookie is as old as its own MaxAge allows, and what it stands
		// for ends by its row.
		s.codecs = append(s.codecs, securecookie.New(key, nil).MaxAge(0).SetSerializer(securecookie.NopEncoder{}))
	}
	return s
}

// A cookieKind says what a cookie stands for.
type cookieKind string

const (
	browserCookie  cookieKind = "browser"
	journeyCookie  cookieKind = "journey" // a journey's binding
	sessionCookie  cookieKind = "session"
	deviceCookie   cookieKind = "device"   // a remembered device
	languageCookie cookieKind = "language" // what a person picked before we know who it is
)

// Lives of cookies in seconds, as Options.MaxAge takes them.
const (
	untilBrowserEnds = 0
	dropped          = -1
	longest          = 400 * 24 * 3600 // the most browsers keep
	aYear            = 365 * 24 * 3600
)

// name is a cookie's name, such as "latchkey_session_demo"; of is the tenant's
// slug, with the journey behind it for a binding, or empty for a cookie of all
// tenants. The signature covers the name, so
// that a cookie is worth nothing in another's place. The __Host- prefix keeps
// sibling domains from planting one; browsers accept it over https alone.
func (s Sessions) name(kind cookieKind, of string) string {
	name := "latchkey_" + string(kind)
	if of != "" {
		name += "_" + of
	}
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// Get returns the session of a cookie's name, the same for the whole request.
func (s Sessions) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads a cookie. One that does not decode is no cookie and no error: it is
// a stranger's, damaged, or of a root that is gone.
func (s Sessions) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	session.Options = &sessions.Options{Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	c, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	var value []byte
	if err := securecookie.DecodeMulti(name, c.Value, &value, s.codecs...); err != nil {
		return session, nil
	}
	session.ID, session.IsNew = string(value), false
	return session, nil
}

// Save sets the cookie, or takes it from the browser where Options.MaxAge is
// negative. It must come before the response's body.
func (s Sessions) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge < 0 {
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return nil
	}
	value, err := securecookie.EncodeMulti(session.Name(), []byte(session.ID), s.codecs...)
	if err != nil {
		return &identity.Error{Kind: identity.Internal, Err: err}
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), value, session.Options))
	return nil
}

// read returns what a cookie holds; empty without one.
func (s Sessions) read(r *http.Request, kind cookieKind, of string) string {
	session, err := s.Get(r, s.name(kind, of))
	if err != nil {
		return ""
	}
	return session.ID
}

// write sets a cookie for so many seconds.
func (s Sessions) write(w http.ResponseWriter, r *http.Request, kind cookieKind, of, value string, life int) error {
	session, err := s.Get(r, s.name(kind, of))
	if err != nil {
		return &identity.Error{Kind: identity.Internal, Err: err}
	}
	session.ID, session.Options.MaxAge = value, life
	return session.Save(r, w)
}

// drop takes a cookie from the browser.
func (s Sessions) drop(w http.ResponseWriter, r *http.Request, kind cookieKind, of string) error {
	return s.write(w, r, kind, of, "", dropped)
}

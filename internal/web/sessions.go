package web

import (
	"net/http"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Sessions is the sessions.Store of every cookie that the server sets for
// itself. A cookie contains one short value, usually a secret, which is the ID
// of its gorilla session; Values stay empty. It is signed, not encrypted.
//
// The store has no state and reads only the cookie. A sign-in session, a
// journey and a remembered device are rows, written in the transaction of their
// change, and found by the hash of the secret.
//
// The zero Sessions reads and sets no cookies.
type Sessions struct {
	codecs []securecookie.Codec // that of the newest key, which encodes, comes first; all decode
	secure bool
}

var _ sessions.Store = Sessions{}

// NewSessions returns the store for keys of 32 bytes, the newest first. secure
// means that the server is reached by https; without it, on loopback, cookies
// have neither Secure nor the __Host- prefix.
func NewSessions(keys [][]byte, secure bool) Sessions {
	s := Sessions{secure: secure}
	for _, key := range keys {
		// Age 0 means no limit: browsers delete a cookie by its MaxAge, and the
		// server ends what it identifies by its row.
		s.codecs = append(s.codecs, securecookie.New(key, nil).MaxAge(0).SetSerializer(securecookie.NopEncoder{}))
	}
	return s
}

// A cookieKind is what a cookie identifies.
type cookieKind string

const (
	browserCookie  cookieKind = "browser"
	journeyCookie  cookieKind = "journey" // a journey's binding
	sessionCookie  cookieKind = "session"
	deviceCookie   cookieKind = "device"   // a remembered device
	languageCookie cookieKind = "language" // picked before the user is known
)

// Values of Options.MaxAge, in seconds.
const (
	untilBrowserEnds = 0
	removed          = -1
	maxAge           = 400 * 24 * 3600 // the longest that browsers allow
	oneYear          = 365 * 24 * 3600
)

// name is the name of a cookie, such as "latchkey_session_demo". of is the
// tenant's slug, for a binding followed by the journey; empty for a cookie of
// all tenants. The signature covers the name, so that the value of a cookie is
// invalid under another name. The __Host- prefix prevents sibling domains from
// setting the cookie; browsers accept it only over https.
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

// New reads a cookie. One that cannot be decoded counts as missing and is no
// error: it is forged, damaged, or signed with a root that was removed.
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

// Save sets the cookie, or removes it if Options.MaxAge is negative. It must be
// called before the body of the response is written.
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

// read returns the value of a cookie; empty without one.
func (s Sessions) read(r *http.Request, kind cookieKind, of string) string {
	session, err := s.Get(r, s.name(kind, of))
	if err != nil {
		return ""
	}
	return session.ID
}

// write sets a cookie for a number of seconds.
func (s Sessions) write(w http.ResponseWriter, r *http.Request, kind cookieKind, of, value string, life int) error {
	session, err := s.Get(r, s.name(kind, of))
	if err != nil {
		return &identity.Error{Kind: identity.Internal, Err: err}
	}
	session.ID, session.Options.MaxAge = value, life
	return session.Save(r, w)
}

// remove removes a cookie from the browser.
func (s Sessions) remove(w http.ResponseWriter, r *http.Request, kind cookieKind, of string) error {
	return s.write(w, r, kind, of, "", removed)
}

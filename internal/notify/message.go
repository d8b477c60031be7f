package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/locales"
)

// A message is what a browser is sent: one object that is a Declarative Web
// Push message, which Safari shows although the app's worker does not run, and
// has for the worker what it needs elsewhere.
type message struct {
	WebPush      int          `json:"web_push"` // 8030
	Notification notification `json:"notification"`
	AppBadge     int          `json:"app_badge"`
	Latchkey     aside        `json:"latchkey"`
}

type notification struct {
	Title    string `json:"title"`
	Body     string `json:"body"`
	Lang     string `json:"lang"`
	Dir      string `json:"dir"`
	Navigate string `json:"navigate"`
	Tag      string `json:"tag"` // a newer one takes an older one's place
	Silent   bool   `json:"silent,omitempty"`
}

// An aside is for the worker, and not shown.
type aside struct {
	Kind          string `json:"kind"` // "request", "ended" or "test"
	Authenticator string `json:"authenticator"`
	Request       string `json:"request,omitempty"`
	Expires       int64  `json:"expires"`
	Plain         bool   `json:"plain"` // may be approved where it is shown
}

const test = "test"

// announce is the message of a push request that began or ended. It says whose
// it is and for what, and nothing else of what the app shows: the number and
// the nonce are not in it, nor the address, for the screen may be locked and
// not its owner's to read (PUSH-25).
func (b *Bell) announce(ctx context.Context, kind store.NotificationKind, p store.PushRequest, a identity.Authenticator) ([]byte, error) {
	words, organisation, err := b.words(ctx, p.Tenant, p.User)
	if err != nil {
		return nil, err
	}
	set := isolated(words, map[string]string{"application": p.Application, "organisation": organisation, "user": p.Name})
	m := b.message(words, a, p.ExpiresAt)
	m.Latchkey.Kind, m.Latchkey.Request = string(kind), p.ID
	if kind == store.NotifyEnded {
		m.Notification.Title = words.T("notification.ended.title", set...)
		m.Notification.Body = words.T("notification.ended.body", set...)
		m.Notification.Silent = true
		return encode(m)
	}
	m.Notification.Title = words.T("notification.request.title", set...)
	m.Notification.Body = words.T("notification.request.body", set...)
	m.AppBadge = 1
	m.Latchkey.Plain = p.Presence == policy.NoPresence && withoutPIN(a)
	return encode(m)
}

// trial is the message of a test.
func (b *Bell) trial(ctx context.Context, a identity.Authenticator, user string, expires time.Time) ([]byte, error) {
	words, organisation, err := b.words(ctx, a.Tenant, user)
	if err != nil {
		return nil, err
	}
	set := isolated(words, map[string]string{"organisation": organisation})
	m := b.message(words, a, expires)
	m.Latchkey.Kind = test
	m.Notification.Title = words.T("notification.test.title", set...)
	m.Notification.Body = words.T("notification.test.body", set...)
	return encode(m)
}

func (b *Bell) message(words locales.Printer, a identity.Authenticator, expires time.Time) message {
	return message{WebPush: 8030,
		Notification: notification{Lang: words.Lang(), Dir: words.Dir(), Navigate: b.Base + "/authenticator/", Tag: "push"},
		Latchkey:     aside{Authenticator: a.ID, Expires: expires.Unix()}}
}

// words are those of a user's language, and the name of the organisation.
func (b *Bell) words(ctx context.Context, tenant, user string) (locales.Printer, string, error) {
	t, err := b.DB.Tenants().Get(ctx, tenant)
	if err != nil {
		return locales.Printer{}, "", err
	}
	u, err := b.DB.Users().Get(ctx, tenant, user)
	if err != nil {
		return locales.Printer{}, "", err
	}
	return b.Catalog.Negotiate(u.Language, "", "", t.Language), t.OrganisationName(), nil
}

// isolated are arguments of a text, each set apart in direction, so that no
// name turns the words around it, and without what is not to be seen (T-ADM-06).
func isolated(words locales.Printer, names map[string]string) []any {
	var set []any
	for name, value := range names {
		value = identity.CleanTyped(value)
		if words.Dir() != "rtl" { // a printer of one that is does it by itself
			value = "\u2068" + value + "\u2069"
		}
		set = append(set, name, value)
	}
	return set
}

// withoutPIN reports whether an authenticator's template asks for nothing
// before an approval. One that cannot be read may ask.
func withoutPIN(a identity.Authenticator) bool {
	var template struct {
		PIN string `json:"pin"`
	}
	return json.Unmarshal(a.Template, &template) == nil && (template.PIN == "" || template.PIN == policy.NoPIN)
}

func encode(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // no HTML is made of it, and it would grow
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

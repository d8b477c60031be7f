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

// A message is the JSON sent to a browser. It is a Declarative Web Push message,
// which Safari shows without running the app's service worker, and also has the
// data that the service worker needs in other browsers.
type message struct {
	WebPush      int          `json:"web_push"` // always 8030
	Notification notification `json:"notification"`
	AppBadge     int          `json:"app_badge"`
	Latchkey     workerData   `json:"latchkey"`
}

type notification struct {
	Title    string `json:"title"`
	Body     string `json:"body"`
	Lang     string `json:"lang"`
	Dir      string `json:"dir"`
	Navigate string `json:"navigate"`
	Tag      string `json:"tag"` // a newer notification replaces an older one with the same tag
	Silent   bool   `json:"silent,omitempty"`
}

// workerData is data for the service worker. It is not shown.
type workerData struct {
	Kind          string `json:"kind"` // "request", "ended" or "test"
	Authenticator string `json:"authenticator"`
	Request       string `json:"request,omitempty"`
	Expires       int64  `json:"expires"`
	Plain         bool   `json:"plain"` // may be approved in the notification itself
}

const test = "test"

// requestMessage returns the message for a push request that began or ended. It
// says whose request it is and for which application. It contains neither the
// number, the nonce nor the address, because anybody may read the notification on
// a locked screen (PUSH-25).
func (nt *Notifier) requestMessage(ctx context.Context, kind store.NotificationKind, p store.PushRequest, a identity.Authenticator) ([]byte, error) {
	words, organisation, err := nt.printer(ctx, p.Tenant, p.User)
	if err != nil {
		return nil, err
	}
	set := isolateNames(words, map[string]string{"application": p.Application, "organisation": organisation, "user": p.Name})
	m := nt.message(words, a, p.ExpiresAt)
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

// testMessage returns the message of a test.
func (nt *Notifier) testMessage(ctx context.Context, a identity.Authenticator, user string, expires time.Time) ([]byte, error) {
	words, organisation, err := nt.printer(ctx, a.Tenant, user)
	if err != nil {
		return nil, err
	}
	set := isolateNames(words, map[string]string{"organisation": organisation})
	m := nt.message(words, a, expires)
	m.Latchkey.Kind = test
	m.Notification.Title = words.T("notification.test.title", set...)
	m.Notification.Body = words.T("notification.test.body", set...)
	return encode(m)
}

func (nt *Notifier) message(words locales.Printer, a identity.Authenticator, expires time.Time) message {
	return message{WebPush: 8030,
		Notification: notification{Lang: words.Lang(), Dir: words.Dir(), Navigate: nt.Base + "/authenticator/", Tag: "push"},
		Latchkey:     workerData{Authenticator: a.ID, Expires: expires.Unix()}}
}

// printer returns the printer for a user's language, and the name of the
// organisation.
func (nt *Notifier) printer(ctx context.Context, tenant, user string) (locales.Printer, string, error) {
	t, err := nt.DB.Tenants().Get(ctx, tenant)
	if err != nil {
		return locales.Printer{}, "", err
	}
	u, err := nt.DB.Users().Get(ctx, tenant, user)
	if err != nil {
		return locales.Printer{}, "", err
	}
	return nt.Catalog.Negotiate(u.Language, "", "", t.Language), t.OrganisationName(), nil
}

// isolateNames returns arguments for a text. Characters that are invisible or change
// the text direction are removed, and each value is isolated in its direction, so
// that no name reorders the text around it (T-ADM-06).
func isolateNames(words locales.Printer, names map[string]string) []any {
	var set []any
	for name, value := range names {
		value = identity.CleanTyped(value)
		if words.Dir() != "rtl" { // a right-to-left printer isolates arguments itself
			value = "\u2068" + value + "\u2069"
		}
		set = append(set, name, value)
	}
	return set
}

// withoutPIN reports whether an authenticator's template requires no PIN for an
// approval. A template that cannot be read may require one.
func withoutPIN(a identity.Authenticator) bool {
	var template struct {
		PIN string `json:"pin"`
	}
	return json.Unmarshal(a.Template, &template) == nil && (template.PIN == "" || template.PIN == policy.NoPIN)
}

func encode(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the message is not HTML, and escaping would make it longer
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

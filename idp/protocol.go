package idp

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Request is what an application asks for, in terms all protocols share.
type Request struct {
	Payload    json.RawMessage `json:"payload"`     // what the protocol needs for its answer; comes back in Grant and Refuse
	ForceLogin bool            `json:"force_login"` // ForceAuthn, prompt=login: a whole new login
	Passive    bool            `json:"passive"`     // IsPassive, prompt=none: no page may be shown
	MaxAge     *int64          `json:"max_age"`     // seconds since the person last proved something; nil is any
	// FactorMaxAge is how many seconds old the second factor may be; nil is any.
	FactorMaxAge *int64 `json:"factor_max_age,omitempty"`

	ACR        []string           `json:"acr"`                  // authentication contexts, best first; one of them must be reached
	Comparison journey.Comparison `json:"comparison,omitempty"` // how what is reached may differ from those
	LoginHint  string             `json:"login_hint"`           // prefills the user name
	UILocales  string             `json:"ui_locales"`           // language tags parted by spaces
	// Once is the application's own name for the request, where its protocol
	// demands that none is answered twice. One of that name again, before
	// OnceUntil, when it is too old anyway, is a replay. Empty allows any.
	Once      string    `json:"-"`
	OnceUntil time.Time `json:"-"`
}

// A Login is a journey that succeeded, as a protocol tells an application of it.
type Login struct {
	Tenant      identity.Tenant
	Application identity.Application
	User        identity.User
	Groups      []identity.Group
	Session     identity.Session
	Payload     json.RawMessage
	ACR         string   // the authentication context reached: one that was asked for, if any was
	AMR         []string // RFC 8176
	AuthTime    time.Time
}

// A Refusal says why an application gets no login.
type Refusal string

const (
	LoginRequired Refusal = "login required" // Passive, and a page would have to be shown
	ContextUnmet  Refusal = "context unmet"  // no authentication context asked for can be reached
	Cancelled     Refusal = "cancelled"      // the person chose not to
	AccessDenied  Refusal = "access denied"  // the access policy refuses it
	Failed        Refusal = "failed"         // anything else
)

// A Reply sends an application the protocol's answer through the browser: a
// redirect or a page that posts a form. It is called once, after the commit.
type Reply func(w http.ResponseWriter, r *http.Request) error

// A Protocol ends what it began. The three real ones are SAML, OpenID Connect
// and Latchkey's own portal.
type Protocol interface {
	// Origin is where answers to a request go, such as
	// "https://payroll.example.org": a validated address of the application,
	// named in the form-action of every page of the journey. Empty means our own.
	Origin(payload json.RawMessage) string
	// Grant writes, in the journey's last transaction, what the protocol must
	// remember of the login (its NameID or sub by tx.JoinSession, a code), and
	// returns what to send once that has committed.
	Grant(ctx context.Context, tx *store.Tx, l Login) (Reply, error)
	// Refuse returns the protocol's error for a login that did not succeed.
	Refuse(ctx context.Context, t identity.Tenant, app identity.Application, payload json.RawMessage, why Refusal) (Reply, error)
}

package idp

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

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

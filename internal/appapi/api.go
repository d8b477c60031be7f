package appapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
)

// Path is where the API is, below the base address.
const Path = "/api/authenticator/v1/"

const (
	maxBody = 64 << 10
	// maxSkew is how far off an app's signing time may be, either way.
	maxSkew = 60 * time.Second
)

// Options are what an API is made of.
type Options struct {
	DB      *store.DB
	Catalog *locales.Catalog
	// Base is the configured origin, such as https://id.example.org. Signatures
	// are checked against it, never against the Host header, which whoever
	// replays a call chooses.
	Base string
	// SelfService is the configured origin of the self-service pages, to which apps
	// lead. Empty where there are none.
	SelfService string
	// Notifier rings apps in browsers.
	Notifier *notify.Notifier
	// Address tells where a request comes from; empty when unknown.
	Address func(*http.Request) string
	// Streams are what apps that are on screen hold open.
	Streams *web.Streams
	Log     *slog.Logger
}

// An API is what authenticator apps talk to.
type API struct {
	db      *store.DB
	catalog *locales.Catalog
	base    string
	// selfService is the origin of the pages on which people change what is theirs.
	selfService string
	notifier    *notify.Notifier
	address     func(*http.Request) string
	log         *slog.Logger
	serving     *web.Streams
	streams     streams
}

// New returns an API.
func New(o Options) *API {
	return &API{db: o.DB, catalog: o.Catalog, base: strings.TrimSuffix(o.Base, "/"), selfService: strings.TrimSuffix(o.SelfService, "/"), notifier: o.Notifier, address: o.Address, log: o.Log,
		serving: o.Streams, streams: streams{open: make(map[string]int)}}
}

// A call is one of those of section 5 of the protocol. Its type is its path.
type call struct {
	method string
	do     func(*API, context.Context, message) (any, error)
}

var calls = map[string]call{
	"activate":    {http.MethodPost, (*API).activate},
	"finish":      {http.MethodPost, (*API).finish},
	"status":      {http.MethodGet, (*API).status},
	"settings":    {http.MethodPost, (*API).settings},
	"remove":      {http.MethodPost, (*API).remove},
	"pending":     {http.MethodGet, (*API).pending},
	"answer":      {http.MethodPost, (*API).answer},
	"pin":         {http.MethodPost, (*API).changePIN},
	"unlock":      {http.MethodPost, (*API).unlock},
	"challenge":   {http.MethodPost, (*API).challenge},
	"biometric":   {http.MethodPost, (*API).setBiometric},
	"subscribe":   {http.MethodPost, (*API).subscribe},
	"unsubscribe": {http.MethodPost, (*API).unsubscribe},
	"test":        {http.MethodPost, (*API).test},
	"stream":      {http.MethodGet, nil}, // answered as long as it lasts; see stream.go
}

// A message is a call whose signature holds.
type message struct {
	claims     claims
	body       []byte
	key        *publicKey
	thumbprint string
	app        identity.Authenticator // zero in activate
	ip         string
	words      locales.Printer // the reader's
}

// Handler serves everything below Path.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if err := a.serve(w, r); err != nil {
			no := refuse(err)
			if no.status >= http.StatusInternalServerError && r.Context().Err() == nil {
				a.log.ErrorContext(r.Context(), "authenticator call failed", "path", r.URL.Path, "err", err)
			} else {
				a.log.InfoContext(r.Context(), "authenticator call refused", "path", r.URL.Path, "status", no.status, "why", no.Error())
			}
			no.write(w, a.words(r))
		}
	})
}

// words are those of who called.
func (a *API) words(r *http.Request) locales.Printer {
	return a.catalog.Negotiate("", "", r.Header.Get("Accept-Language"), "")
}

// serve answers a call, or returns why not and has written nothing.
func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	name, below := strings.CutPrefix(r.URL.Path, Path)
	call, known := calls[name]
	switch {
	case !below || !known:
		return &refusal{status: http.StatusNotFound, Code: "call"}
	case r.Method != call.method:
		w.Header().Set("Allow", call.method)
		return &refusal{status: http.StatusMethodNotAllowed, Code: "method"}
	case r.URL.RawQuery != "":
		return malformed(errors.New("no call has a query"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return err
		}
		return malformed(err) // the app went away, or was too slow
	}
	m, err := a.authenticate(r, name, body)
	if err != nil {
		return err
	}
	if call.do == nil {
		return a.stream(w, r, m)
	}
	result, err := call.do(a, r.Context(), m)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, result)
	return nil
}

// authenticate checks a call's signature in the order the protocol names: form,
// key, signature, and then that it was made for this very call, and lately.
// That it is not a replay is checked where the call writes, in the transaction
// of what it writes; see write.
func (a *API) authenticate(r *http.Request, name string, body []byte) (message, error) {
	values := r.Header.Values(SignatureHeader)
	if len(values) != 1 {
		return message{}, badSignature(fmt.Errorf("%d signatures", len(values)))
	}
	e, err := parseEnvelope(values[0])
	if err != nil {
		return message{}, badSignature(err)
	}
	m := message{claims: e.claims, body: body, key: e.key, ip: a.address(r), words: a.words(r)}
	if (name == "activate") != (e.key != nil) || (name == "activate") != (e.claims.Subject == "") {
		return message{}, badSignature(errors.New("a key comes with activate, a name with all else"))
	}
	if e.key == nil {
		if m.app, m.key, err = a.appOf(r.Context(), e); err != nil {
			return message{}, err
		}
	}
	m.thumbprint = m.key.thumbprint()
	hash := sha256.Sum256(body)
	now := a.db.Now().Truncate(time.Second) // iat has no parts of a second either
	switch skew := now.Sub(time.Unix(e.claims.At, 0)); {
	case !e.verify(m.key):
		return message{}, badSignature(errors.New("made by another key, or for something else"))
	case e.claims.Type != name:
		return message{}, badSignature(fmt.Errorf("typ %q", e.claims.Type))
	case e.claims.Method != r.Method:
		return message{}, badSignature(fmt.Errorf("htm %q", e.claims.Method))
	case e.claims.Address != a.base+Path+name:
		return message{}, badSignature(fmt.Errorf("htu %q", e.claims.Address))
	case e.claims.BodyHash != strict64.EncodeToString(hash[:]):
		return message{}, badSignature(errors.New("bsh is another body's"))
	case skew > maxSkew, skew < -maxSkew:
		return message{}, &refusal{status: http.StatusUnauthorized, Code: "clock", Time: now.Unix()}
	}
	return m, a.notice(r.Context(), &m)
}

// appOf finds the authenticator a signature names, by its id and its key.
func (a *API) appOf(ctx context.Context, e envelope) (identity.Authenticator, *publicKey, error) {
	if !identity.IsID(identity.AuthenticatorID, e.claims.Subject) {
		return identity.Authenticator{}, nil, badSignature(errors.New("sub is no authenticator's id"))
	}
	app, err := a.db.Authenticators().Find(ctx, e.claims.Subject)
	if errors.Is(err, identity.NotFound) {
		return app, nil, unknownApp(err)
	}
	if err != nil {
		return app, nil, err
	}
	if app.Thumbprint == "" || app.Thumbprint != e.kid {
		return app, nil, unknownApp(errors.New("another key"))
	}
	key, err := parseKey(app.Key)
	if err != nil {
		return app, nil, fmt.Errorf("appapi: key of %s: %w", app.ID, err)
	}
	return app, key, nil
}

// notice keeps the version and the capabilities an app declares, when they
// changed: which pushes can be sent depends on them (PUSH-22).
func (a *API) notice(ctx context.Context, m *message) error {
	if m.app.ID == "" || m.app.AppVersion == m.claims.Version && slices.Equal(m.app.Capabilities, m.claims.Capabilities) {
		return nil
	}
	m.app.AppVersion, m.app.Capabilities = m.claims.Version, m.claims.Capabilities
	return a.db.InTx(ctx, m.who(), func(tx *store.Tx) error {
		if err := tx.Authenticators().SetApp(ctx, m.app.Tenant, m.app.ID, m.claims.Version, m.claims.Capabilities); err != nil {
			return err
		}
		users, err := tx.Authenticators().UserIDs(ctx, m.app.Tenant, m.app.ID)
		for _, user := range users { // whose page may wait for what this app cannot do, or now can
			err = errors.Join(err, push.NotifyWaiting(ctx, tx, m.app.Tenant, user))
		}
		return err
	})
}

// who is the principal of a call.
func (m message) who() identity.Principal {
	return identity.Principal{Tenant: m.app.Tenant, Kind: identity.AuthenticatorApp, ID: m.app.ID, Name: m.app.Serial, IP: m.ip}
}

// write runs f in a transaction of the app's doing, together with the use of
// the call's jti: a call that was recorded and is played again changes nothing.
// f is given the authenticator as it stands in the transaction. Where f refuses,
// nothing was changed, and nothing is used up.
func (a *API) write(ctx context.Context, m message, f func(tx *store.Tx, app identity.Authenticator) error) error {
	return a.db.InTx(ctx, m.who(), func(tx *store.Tx) error {
		if err := m.use(ctx, tx, m.app.Tenant); err != nil {
			return err
		}
		app, err := tx.Authenticators().Get(ctx, m.app.Tenant, m.app.ID)
		if err != nil {
			return err
		}
		return f(tx, app)
	})
}

// use uses the call's jti up. It is kept for as long as the signature would
// pass, and belongs to the key, so that nobody can use up another's. A database
// restored from a backup does not know which were used before.
func (m message) use(ctx context.Context, tx *store.Tx, tenant string) error {
	generation, err := tx.Installation().RestoreGeneration(ctx)
	if err != nil {
		return err
	}
	if !generation.BeganAt.IsZero() && m.claims.At <= generation.BeganAt.Unix() {
		return &refusal{status: http.StatusUnauthorized, Code: "replayed", cause: errors.New("signed before the backup was restored")}
	}
	err = tx.UseOnce(ctx, tenant, "jti", m.thumbprint+"."+m.claims.ID, time.Unix(m.claims.At, 0).Add(2*maxSkew))
	if errors.Is(err, identity.Conflict) {
		return &refusal{status: http.StatusUnauthorized, Code: "replayed", cause: err}
	}
	return err
}

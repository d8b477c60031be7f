package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/location"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/locales"
)

// An Engine takes journeys from step to step. It must not be copied.
type Engine struct {
	DB        *store.DB
	Directory *directory.Directory
	Catalog   *locales.Catalog
	// Base is the address of the server, without a path: of the relying party of
	// passkeys, and of links for other vendors' apps.
	Base *url.URL
	// Authenticator is the origin of the web authenticator, to which the links of
	// activations lead; nil where it is Base.
	Authenticator *url.URL
	// Locations says where a client's address is, for people; nil where no database is
	// configured.
	Locations *location.Database

	decoded decodedRules
}

// A Client is who hands an input in or looks at a journey: a browser, or what
// stands in its place.
type Client struct {
	Tenant identity.Tenant
	Who    identity.Principal // with the address
	// Browser anchors what a browser is known by (CRED-20) and grants nothing; the
	// hash of its cookie.
	Browser string
	// Binding is the secret that binds the client to the one journey it names, or
	// will bind it to the one it begins (JRN-4).
	Binding string
	Session identity.Session   // the live session; zero when there is none
	Device  store.DeviceCookie // of a remembered device; zero when the client brought none

	Agent      string // what the browser calls itself, for mails and pages: "Firefox on Linux"
	UserAgent  string // as it was sent
	Platform   string // hint of the platform, as Sec-CH-UA-Platform has it
	Picked     string // tag of the language that was picked in this browser before; may be empty
	Accept     string // languages it prefers, as Accept-Language has them
	CannotShow bool   // it can show no number (PUSH-21)
	// Redirects says that the client is sent on after an input and looks at the
	// journey by itself, as a browser does: what Take returns leaves out what is asked.
	Redirects bool

	// Grant runs in the transaction in which the journey succeeds, after the session
	// was written. It writes what must be remembered of the answer to the
	// application. The journey of its argument is a copy.
	Grant func(ctx context.Context, tx *store.Tx, s Success) error
}

// A Success is a journey that passed everything it required.
type Success struct {
	Journey identity.Journey
	Request Request
	User    identity.User
	Session identity.Session
	Secret  string // of the session, new; empty where an old session sufficed
	Device  Device // to be kept by the browser from now on; zero where nothing changed
	Context string // the authentication context reached
}

// Look returns the present prompt of a journey to the client that is bound to it.
// It changes nothing. Another client is a Forbidden or, of a journey that is over,
// learns that alone.
func (e *Engine) Look(ctx context.Context, c Client, id string) (*Prompt, error) {
	j, err := e.boundJourney(ctx, e.DB.Reader, c, id)
	if errors.Is(err, errOver) {
		return e.overPrompt(c, j)
	}
	if err != nil {
		return nil, err
	}
	f, err := e.load(ctx, e.DB.Reader, c, j)
	if err != nil {
		return nil, err
	}
	return f.prompt(ctx, e.DB.Reader)
}

// boundJourney reads a journey for the client it is bound to. Any other client is
// refused, even with the address of the journey (JRN-4).
func (e *Engine) boundJourney(ctx context.Context, r store.Reader, c Client, id string) (*identity.Journey, error) {
	if !identity.IsID(identity.JourneyID, id) {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	j, err := r.Journeys().Get(ctx, c.Tenant.ID, id)
	if err != nil {
		return nil, err
	}
	switch {
	case j.BoundBy(c.Binding):
		return j, nil
	case j.Over(r.Now()):
		return j, errOver
	default:
		return nil, &identity.Error{Kind: identity.Forbidden, Key: "error.journey.browser", Err: fmt.Errorf("journey %s belongs to another client", id)}
	}
}

// errOver is the error of a journey that is over for a client that it is not bound
// to. The one that it was bound to is such a client too, once the application was
// answered and its binding dropped.
var errOver = errors.New("journey: over, and bound to another client")

// overPrompt says that a journey is over, and nothing of its person: only whoever
// is signed in as its user learns that it led to a login.
func (e *Engine) overPrompt(c Client, j *identity.Journey) (*Prompt, error) {
	p := &Prompt{Journey: j.ID, Step: Ended, Home: j.ApplicationHome, ApplicationID: j.Application, Protocol: j.Protocol}
	if err := json.Unmarshal(j.Request, &p.Request); err != nil {
		return nil, fmt.Errorf("journey: request of %s: %w", j.ID, err)
	}
	p.Language = e.Catalog.Negotiate(c.Picked, p.Request.UILocales, c.Accept, c.Tenant.Language).Lang()
	if !j.Login() {
		return p, nil
	}
	p.Application = j.ApplicationName
	if c.Session.UserID != "" && c.Session.UserID == j.UserID {
		p.Outcome = j.Outcome
	}
	return p, nil
}

// Wait waits until the journey stands otherwise than in state, or the context is
// done, and returns the state it has then. Where the journey does not wait for a
// phone it returns at once. It is the only place that waits for one. While it
// waits it keeps nothing of the journey, since thousands may wait at once.
func (e *Engine) Wait(ctx context.Context, c Client, id, state string) (string, error) {
	// Subscribed first, looked at then: nothing falls between the two.
	notified, stop := e.DB.Subscribe(store.JourneyTopic(id))
	defer stop()
	for {
		present, stays, err := e.glance(ctx, c, id)
		if err != nil || present != state || stays == 0 {
			return present, err
		}
		expiry := time.NewTimer(stays)
		select {
		case <-notified:
		case <-expiry.C:
		case <-ctx.Done():
			expiry.Stop()
			return present, nil
		}
		expiry.Stop()
	}
}

// longestWait is how long Wait does not look at a journey that nobody notified it
// of.
const longestWait = 20 * time.Second

// glance returns the state of a journey, and for how long it stays so unless the
// phone acts; 0 where no phone is waited for.
func (e *Engine) glance(ctx context.Context, c Client, id string) (state string, stays time.Duration, err error) {
	j, err := e.boundJourney(ctx, e.DB.Reader, c, id)
	if errors.Is(err, errOver) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	f, err := e.load(ctx, e.DB.Reader, c, j)
	if err != nil {
		return "", 0, err
	}
	switch {
	case f.Step == WaitForPush:
		stays = f.Request.Left + 10*time.Millisecond // then it has expired, of which nobody notifies
	case f.Step.Executor() == Phone:
		stays = longestWait
	}
	return f.state(), stays, nil
}

// state is what a prompt shows, for telling whether an input was decided on it:
// the journey's version, the step, and what the phone can change without a step.
func (f *flow) state() string {
	state := strconv.FormatInt(f.Journey.Version, 10) + "." + strings.ReplaceAll(string(f.Step), " ", "-")
	switch {
	case f.Step == WaitForPush && f.Request.Outcome != "":
		state += "." + string(f.Request.Outcome)
	case f.Step == WaitForPush && len(f.TooOld) > 0:
		state += ".old" // of several apps one turned out to be too old, and the page says so
	case f.Step == EnrollScan:
		state += "." + string(f.activation)
	}
	return state
}

// versionOf is the version of the journey that a state was made from; -1 of what
// is no state.
func versionOf(state string) int64 {
	number, _, _ := strings.Cut(state, ".")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return -1
	}
	return version
}

package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Start is what a journey begins with: a [FromApplication], a [FromInvitation]
// or a [ForAuthenticator].
type Start interface {
	begin(ctx context.Context, e *Engine, c Client) (*Prompt, error)
}

// FromApplication begins with the request that an application made and that was
// stored for the client that brought it.
type FromApplication struct {
	Stored string // id of the stored request, which is used up
}

// FromInvitation begins with the link of an enrolment mail (ENR-19). The journey
// leads through self-provisioning and ends there, without a session (ENR-3).
type FromInvitation struct {
	Secret      string               // of the link
	Application identity.Application // the self-service pages, where the new authenticator can be tried
}

// ForAuthenticator begins with a live session, for a further authenticator of its
// person (CRED-16).
type ForAuthenticator struct {
	Application identity.Application // the self-service pages, to which it leads back
}

// Reasons why a journey does not begin. The prompt is at Refused then and names no
// journey; an application is told by its protocol's own error.
const (
	ReasonLoginRequired     Reason = "login required" // a page would have to be shown, and none may
	ReasonContextUnmet      Reason = "context unmet"  // no authentication context asked for can be reached
	ReasonInvitationUnknown Reason = "unknown"        // no invitation has that secret
)

// Begin begins a journey for a client and returns its first prompt. Where nothing
// is missing it has ended in the same transaction (single sign-on, JRN-8); where
// none may begin the prompt says why.
func (e *Engine) Begin(ctx context.Context, c Client, start Start) (*Prompt, error) {
	return start.begin(ctx, e, c)
}

// begin uses the stored request up and begins the journey it asks for. What the
// client's session proved is taken over as far as the request lets it count.
func (s FromApplication) begin(ctx context.Context, e *Engine, c Client) (after *Prompt, err error) {
	err = e.DB.InTx(ctx, c.Who, func(tx *store.Tx) error {
		stored, err := tx.Requests().Take(ctx, c.Tenant.ID, s.Stored)
		if err != nil {
			return err
		}
		app, err := tx.Applications().Get(ctx, c.Tenant.ID, stored.Application)
		if err != nil {
			return err
		}
		var want Request
		if err := json.Unmarshal(stored.Wants, &want); err != nil {
			return fmt.Errorf("journey: request %s: %w", s.Stored, err)
		}
		f, reason, err := e.beginLogin(ctx, tx, c, app, want, stored.Wants)
		if err != nil {
			return err
		}
		if reason != "" { // an answer too: the request is used up
			after = &Prompt{Step: Refused, Reason: reason, ApplicationID: app.ID, Protocol: app.Protocol, Request: want}
			return nil
		}
		after, err = f.answer(ctx, tx.Reader)
		return err
	})
	return after, err
}

// beginLogin begins a journey, or says why it does not.
func (e *Engine) beginLogin(ctx context.Context, tx *store.Tx, c Client, app identity.Application, want Request, stored []byte) (*flow, Reason, error) {
	j := newJourney(c, app, tx.Now())
	j.Request, j.FreshAfter = stored, want.freshAfter(tx.Now())
	rules, err := e.rules(ctx, tx.Reader, j.Tenant)
	if err != nil {
		return nil, "", err
	}
	j.ExpiresAt = j.StartedAt.Add(time.Duration(rules.Limits.JourneyLifetime) * time.Second)
	var reachable bool
	if j.ACR, reachable = rules.Acceptable(want.ACR, want.Comparison); !reachable {
		return nil, ReasonContextUnmet, nil
	}
	f := &flow{engine: e, client: c, Journey: j, Rules: rules, request: want, Step: Identify}
	if c.Session.ID != "" && !want.ForceLogin {
		if f, err = f.takeOver(ctx, tx); err != nil {
			return nil, "", err
		}
	}
	if want.Passive && f.Step != Done {
		return nil, ReasonLoginRequired, nil
	}
	if f.Step == Done {
		return f, "", f.signOn(ctx, tx)
	}
	endWithLock(f)
	if err := tx.Journeys().Add(ctx, j); err != nil {
		return nil, "", err
	}
	return f, "", f.issueChallenge(ctx, tx)
}

// newJourney is a journey of a client to an application that begins now.
func newJourney(c Client, app identity.Application, now time.Time) *identity.Journey {
	return &identity.Journey{Tenant: c.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: app.ID, Protocol: app.Protocol,
		ApplicationName: app.Name, ApplicationHome: app.Home, CannotShow: app.CannotShowNumber || c.CannotShow, PlainPush: app.PushWithoutPresence,
		Browser: c.Browser, Binding: identity.HashBinding(c.Binding), Fingerprint: c.Agent, IP: c.Who.IP, StartedAt: now}
}

// takeOver identifies the journey's user by the session and takes over what was
// passed in it and is fresh enough. If a remembered device can stand for
// everything that is missing then, it does.
func (f *flow) takeOver(ctx context.Context, tx *store.Tx) (*flow, error) {
	j := f.Journey
	u, err := tx.Users().Get(ctx, j.Tenant, f.client.Session.UserID)
	if err != nil {
		return nil, err
	}
	j.UserID, j.Name, j.KnownBrowser = u.ID, u.Name, true
	if f, err = f.engine.loadUnder(ctx, tx.Reader, f.client, j, f.Rules); err != nil {
		return nil, err
	}
	if err := f.require(); err != nil {
		return nil, err
	}
	if err := f.takePassed(ctx, tx.Reader); err != nil {
		return nil, err
	}
	if err := f.recognise(ctx, tx); err != nil {
		return nil, err
	}
	if len(j.Missing()) == 0 {
		f.Step, f.Reason = Next(j, f.Facts, tx.Now()) // what was loaded holds; nothing more is asked
		return f, nil
	}
	return f.look(ctx, tx)
}

// staleFactor reports whether what was passed is a second factor older than the
// application wants.
func staleFactor(want Request, p identity.CompletedFactor, now time.Time) bool {
	return want.FactorMaxAge != nil && p.Validation != identity.Password && now.Sub(p.At) > atMostSeconds(*want.FactorMaxAge)
}

// counts reports whether what was passed in a session counts in this journey too:
// it is fresh enough, and proved by nothing that was lost since.
func (f *flow) counts(ctx context.Context, r store.Reader, p identity.CompletedFactor) (bool, error) {
	if p.Method == identity.ByRememberedDevice {
		return f.stillCounts(ctx, r, p)
	}
	held := p.Authenticator == "" || slices.ContainsFunc(f.Authenticators, func(a identity.Authenticator) bool { return a.ID == p.Authenticator })
	return held && !p.At.Before(f.Journey.FreshAfter), nil
}

// signOn ends a journey in which the session satisfied everything.
func (f *flow) signOn(ctx context.Context, tx *store.Tx) error {
	j := f.Journey
	j.EndedAt, j.Outcome = tx.Now(), identity.Succeeded
	f.endedNow = true
	if err := tx.Journeys().Add(ctx, j); err != nil {
		return err
	}
	if f.recognised { // the session has passed more than before
		return f.engine.succeed(ctx, tx, f)
	}
	return f.useSession(ctx, tx)
}

// useSession answers the application by the session that the client has.
func (f *flow) useSession(ctx context.Context, tx *store.Tx) error {
	j := f.Journey
	if err := tx.Sessions().Touch(ctx, f.client.Session); err != nil {
		return err
	}
	err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.LoginSucceeded, User: j.UserID, Application: j.Application,
		Journey: j.ID, Reason: "single sign-on", Data: map[string]string{"context": f.Rules.Reached(j)},
		Personal: personal(j)})
	if err != nil {
		return err
	}
	return f.grant(ctx, tx, Success{Session: f.client.Session})
}

package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Start is what a journey begins with.
type Start struct {
	Tenant      string
	Application identity.Application
	Request     []byte // kept for the answer
	Browser     string
	Fingerprint string
	IP          string
	Language    string
	ForceLogin  bool
	Passive     bool
	MaxAge      *int64
	// FactorMaxAge is MaxAge for the second factor alone, in seconds: the
	// password of a session stays good, or every page that wants to be sure who
	// holds the mouse would ask for everything.
	FactorMaxAge *int64
	ACR          []string
	Comparison   Comparison // of what is reached with ACR
}

// Reasons why a journey does not begin. The application is told by its
// protocol's own error.
var (
	ErrLoginRequired = errors.New("a page would have to be shown")
	ErrContextUnmet  = errors.New("no authentication context asked for can be reached")
)

// Begin uses up a stored request and begins the journey it asks for. What the
// browser's session proved is taken over as far as the request lets it count;
// if nothing is missing, the journey ends in the same transaction (single
// sign-on, JRN-8). read goes by the transaction alone: while it lasts it holds a
// connection, and of as many as there are, none may wait for a second.
func (e *Engine) Begin(ctx context.Context, visit Visit, request string, read func(tx *store.Tx, stored store.Request) (Start, error)) (*View, error) {
	var after *View
	var refused error
	err := e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error {
		stored, err := tx.Requests().Take(ctx, visit.Who.Tenant, request)
		if err != nil {
			return err
		}
		start, err := read(tx, stored)
		if err != nil {
			return err
		}
		after, err = e.begin(ctx, tx, visit, start)
		if errors.Is(err, ErrLoginRequired) || errors.Is(err, ErrContextUnmet) {
			refused = err // an answer too: the request is used up
			return nil
		}
		return err
	})
	return after, cmp.Or(err, refused)
}

func (e *Engine) begin(ctx context.Context, tx *store.Tx, visit Visit, start Start) (*View, error) {
	now := tx.Now()
	j := &identity.Journey{Tenant: start.Tenant, ID: identity.NewID(identity.JourneyID), Application: start.Application.ID,
		Protocol: start.Application.Protocol, Request: start.Request, Browser: start.Browser, Fingerprint: start.Fingerprint,
		IP: start.IP, Language: start.Language, StartedAt: now, FreshAfter: freshAfter(start, now),
		CannotShow: start.Application.CannotShowNumber, PlainPush: start.Application.PushWithoutPresence}
	rules, err := e.rules(ctx, tx.Reader, j.Tenant)
	if err != nil {
		return nil, err
	}
	j.ExpiresAt = now.Add(time.Duration(rules.Limits.JourneyLife) * time.Second)
	var reachable bool
	if j.ACR, reachable = rules.Acceptable(start.ACR, start.Comparison); !reachable {
		return nil, ErrContextUnmet
	}
	v := &View{Journey: j, Rules: rules, Step: Identify}
	if visit.Session.ID != "" && !start.ForceLogin {
		if v, err = e.takeOver(ctx, tx, visit, start, j, rules); err != nil {
			return nil, err
		}
	}
	if start.Passive && v.Step != Done {
		return nil, ErrLoginRequired
	}
	if v.Step != Done {
		endWithLock(v)
		if err := tx.Journeys().Add(ctx, j); err != nil {
			return nil, err
		}
		return v, v.pose(ctx, tx)
	}
	j.EndedAt, j.Outcome = now, identity.Succeeded
	if err := tx.Journeys().Add(ctx, j); err != nil {
		return nil, err
	}
	if v.recognised { // the session has passed more than before
		return v, e.succeed(ctx, tx, visit, v)
	}
	if err := tx.Sessions().Touch(ctx, visit.Session); err != nil {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.LoginSucceeded, User: j.UserID, Application: j.Application,
		Journey: j.ID, Reason: "single sign-on", Data: map[string]string{"context": rules.Reached(j)},
		Personal: personal(j)})
	if err != nil {
		return nil, err
	}
	return v, visit.Grant(ctx, tx, Success{Journey: j, User: v.User, Session: visit.Session, Context: rules.Reached(j)})
}

// freshAfter is the moment before which nothing proved counts.
func freshAfter(start Start, now time.Time) time.Time {
	switch {
	case start.ForceLogin:
		return now
	case start.MaxAge != nil:
		return now.Add(-time.Duration(*start.MaxAge) * time.Second)
	}
	return time.Time{}
}

// staleFactor reports whether what was passed is a second factor older than the
// application wants.
func (s Start) staleFactor(p identity.Passed, now time.Time) bool {
	return s.FactorMaxAge != nil && p.Validation != identity.Password && now.Sub(p.At) > time.Duration(*s.FactorMaxAge)*time.Second
}

// takeOver identifies the journey's user by the session and takes over what
// was passed in it and is fresh enough. If a remembered device can stand for all
// that is missing then, it does.
func (e *Engine) takeOver(ctx context.Context, tx *store.Tx, visit Visit, start Start, j *identity.Journey, rules Rules) (*View, error) {
	s := visit.Session
	u, err := tx.Users().Get(ctx, j.Tenant, s.UserID)
	if err != nil {
		return nil, err
	}
	j.UserID, j.Name, j.KnownBrowser = u.ID, u.Name, true
	v, err := e.gather(ctx, tx.Reader, j, rules)
	if err != nil {
		return nil, err
	}
	if err := evaluate(v); err != nil {
		return nil, err
	}
	for _, p := range s.Passed {
		if start.staleFactor(p, tx.Now()) {
			continue
		}
		counts, err := v.counts(ctx, tx.Reader, p)
		if err != nil {
			return nil, err
		}
		if counts {
			j.Passed = append(j.Passed, p)
		}
	}
	if err := e.recognise(ctx, tx, visit, v); err != nil {
		return nil, err
	}
	if len(j.Missing()) == 0 {
		v.Step = Next(j, v.Facts, tx.Now()) // what was gathered holds; nothing more is asked
		return v, nil
	}
	return e.gather(ctx, tx.Reader, j, rules)
}

// counts reports whether what was passed in a session counts in this journey
// too: it is fresh enough, and proved by nothing that is lost now.
func (v *View) counts(ctx context.Context, r store.Reader, p identity.Passed) (bool, error) {
	if p.Method == identity.ByRememberedDevice {
		return v.stillCounts(ctx, r, p)
	}
	held := p.Authenticator == "" || slices.ContainsFunc(v.Authenticators, func(a identity.Authenticator) bool { return a.ID == p.Authenticator })
	return held && !p.At.Before(v.Journey.FreshAfter), nil
}

// Cancel ends a journey because the person chose to leave it.
func (e *Engine) Cancel(ctx context.Context, visit Visit, v *View) (*View, error) {
	kind := audit.LoginCancelled
	switch {
	case v.Journey.Invitation != "":
		kind = audit.EnrollInvitationLeft
	case v.Journey.Adding:
		kind = audit.EnrollFurtherLeft
	}
	return e.end(ctx, visit, v, identity.Cancelled, kind, "")
}

// Deny ends a journey that is refused.
func (e *Engine) Deny(ctx context.Context, visit Visit, v *View) (*View, error) {
	return e.end(ctx, visit, v, identity.Denied, audit.LoginDenied, e.whyRefused(v))
}

func (e *Engine) whyRefused(v *View) string {
	switch {
	case v.Facts.Disabled:
		return "disabled"
	case v.Journey.Refused != "":
		return v.Journey.Refused
	case v.Facts.WhyNotEnroll != "":
		return string(v.Facts.WhyNotEnroll)
	}
	return "no way in"
}

func (e *Engine) end(ctx context.Context, visit Visit, v *View, outcome identity.Outcome, kind audit.Kind, reason string) (*View, error) {
	return e.step(ctx, visit, v.Journey.Tenant, v.Journey.ID, v.Journey.Version, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if err := e.dropPush(ctx, tx, j); err != nil {
			return err
		}
		j.EndedAt, j.Outcome = tx.Now(), outcome
		err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: kind, User: j.UserID, Application: j.Application,
			Journey: j.ID, Reason: reason, Personal: personal(j)})
		if err != nil {
			return fmt.Errorf("journey: end %s: %w", j.ID, err)
		}
		return nil
	})
}

package journey

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// perAdding is how often a person may begin to add an authenticator.
var perAdding = store.Rate{Kind: "begun adding", Max: 20, Per: time.Hour}

// begin begins a journey for a further authenticator of the person whose session
// the client has: it leads through self-provisioning and ends there. The second
// factor that the session proved stands for the mailed code, of which it proves
// more. The journey takes over what was proved, so that it goes with the session,
// and with the authenticator.
//
// A session without a second factor is a Forbidden. How fresh it has to be is for
// the page that begins.
func (s ForAuthenticator) begin(ctx context.Context, e *Engine, c Client) (after *Prompt, err error) {
	err = e.DB.InTx(ctx, c.Who, func(tx *store.Tx) error {
		f, err := s.beginWith(ctx, tx, e, c)
		if err == nil {
			after, err = f.answer(ctx, tx.Reader)
		}
		return err
	})
	return after, err
}

func (s ForAuthenticator) beginWith(ctx context.Context, tx *store.Tx, e *Engine, c Client) (*flow, error) {
	rules, err := e.rules(ctx, tx.Reader, c.Tenant.ID)
	if err != nil {
		return nil, err
	}
	u, err := tx.Users().Get(ctx, c.Tenant.ID, c.Session.UserID)
	if err != nil {
		return nil, err
	}
	if err := tx.Allow(ctx, c.Tenant.ID, perAdding, u.ID); err != nil {
		return nil, err
	}
	all, err := store.Collect(tx.Authenticators().OfUser(ctx, c.Tenant.ID, u.ID))
	if err != nil {
		return nil, err
	}
	if err := authenticator.CheckCanAdd(u, rules.Credentials, all); err != nil {
		return nil, err
	}
	j := newJourney(c, s.Application, tx.Now())
	j.Request, j.Adding, j.UserID, j.Name, j.KnownBrowser, j.Policy = []byte(`{}`), true, u.ID, u.Name, true, rules.AccessVersion
	j.Enroll, j.Code.PassedAt, j.Passed = identity.EnrollPlatform, j.StartedAt, slices.Clone(c.Session.Passed)
	j.ExpiresAt = j.StartedAt.Add(time.Duration(rules.Limits.JourneyLifetime) * time.Second)
	if !j.HasSecondFactor() {
		return nil, &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: errors.New("journey: no second factor to add another with")}
	}
	f, err := e.loadUnder(ctx, tx.Reader, c, j, rules)
	if err != nil {
		return nil, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.EnrollFurther, User: j.UserID, Journey: j.ID, Personal: personal(j)})
	if err != nil {
		return nil, err
	}
	return f.beginEnrollment(ctx, tx)
}

// loadAddition reads how far a journey for a further authenticator has come, and
// whether the factor it was begun with still stands.
func (f *flow) loadAddition(ctx context.Context, r store.Reader) (err error) {
	j := f.Journey
	if !j.Adding {
		return nil
	}
	f.Facts.Platform = f.Rules.SelfProvisioning.Targets(f.Groups) && f.Rules.AnyPlatform(f.Groups)
	f.Facts.FactorGone = !j.HasSecondFactor()
	f.opened, err = r.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if errors.Is(err, identity.NotFound) {
		return nil
	}
	f.Facts.Enrolled = !f.opened.FinishedAt.IsZero()
	return err
}

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

// begunAdding is how often a person may begin to add an authenticator.
var begunAdding = store.Rate{Kind: "begun adding", Max: 20, Per: time.Hour}

// BeginAdding begins a journey for a further authenticator of the person whose
// session the visit has: it leads through self-provisioning and ends there
// (CRED-16). The second factor that the session proved stands for the mailed
// code, of which it proves more. The journey takes over what was proved, so that
// it goes with the session, and with the authenticator.
//
// A session without a second factor is a Forbidden. How fresh it has to be is for
// the page that begins.
func (e *Engine) BeginAdding(ctx context.Context, visit Visit, start Start) (*View, error) {
	var after *View
	err := e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error {
		now, s := tx.Now(), visit.Session
		rules, err := e.rules(ctx, tx.Reader, start.Tenant)
		if err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, start.Tenant, s.UserID)
		if err != nil {
			return err
		}
		if err := tx.Allow(ctx, start.Tenant, begunAdding, u.ID); err != nil {
			return err
		}
		all, err := store.Collect(tx.Authenticators().OfUser(ctx, start.Tenant, u.ID))
		if err != nil {
			return err
		}
		if err := authenticator.RoomForAnother(u, rules.Credentials, all); err != nil {
			return err
		}
		j := &identity.Journey{Tenant: start.Tenant, ID: identity.NewID(identity.JourneyID), Application: start.Application.ID,
			Protocol: start.Application.Protocol, Request: start.Request, Adding: true, Browser: s.Browser,
			Fingerprint: start.Fingerprint, IP: start.IP, UserID: u.ID, Name: u.Name, KnownBrowser: true, Policy: rules.AccessVersion,
			Enroll: identity.EnrollPlatform, Code: identity.Code{PassedAt: now}, Passed: slices.Clone(s.Passed),
			StartedAt: now, ExpiresAt: now.Add(time.Duration(rules.Limits.JourneyLife) * time.Second)}
		if !j.FactorStands() {
			return &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden", Err: errors.New("journey: no second factor to add another with")}
		}
		if after, err = e.gather(ctx, tx.Reader, j, rules); err != nil {
			return err
		}
		if err := tx.Journeys().Add(ctx, j); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.EnrollFurther, User: j.UserID, Journey: j.ID, Personal: personal(j)})
	})
	return after, err
}

// adding is Next in a journey for a further authenticator.
func adding(j *identity.Journey, f Facts, now time.Time) Step {
	switch {
	case f.Redeemed:
		return Done
	case now.Before(f.LockedUntil):
		return Locked
	case f.Withdrawn || f.Disabled || !f.Platform:
		return Refused
	}
	return enrolling(j)
}

// addition gathers how far a journey for a further authenticator has come, and
// whether what it was begun with still stands.
func (v *View) addition(ctx context.Context, r store.Reader) error {
	j := v.Journey
	if !j.Adding {
		return nil
	}
	v.Facts.Platform = v.Rules.SelfProvisioning.Targets(v.Groups) && (len(v.Rules.Platforms.Allowed()) > 0 || v.ThirdParty() || v.PrivacyIDEA())
	v.Facts.Withdrawn = !j.FactorStands()
	a, err := r.Activations().OfJourney(ctx, j.Tenant, j.ID)
	if errors.Is(err, identity.NotFound) {
		return nil
	}
	v.Facts.Redeemed = !a.FinishedAt.IsZero()
	return err
}

package journey

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// begunByInvitation is how often one invitation may begin a journey: again and
// again for who changes browsers, but not for who fills the table.
var begunByInvitation = store.Rate{Kind: "begun by invitation", Max: 30, Per: time.Hour}

// BeginInvited begins a journey by the link of an enrolment mail instead of an
// application's request: it leads through self-provisioning and ends there,
// without a session (ENR-3). The link proves the mailbox as the mailed code does
// in a login, and is used up by neither this nor anything but the authenticator
// that comes of it. Wherever the access policy asks this user for a password, it
// is asked first, so that a mailbox, or a mail that was passed on, is not enough
// to become somebody's second factor.
//
// An invitation that cannot be used is an Expired.
func (e *Engine) BeginInvited(ctx context.Context, visit Visit, start Start, invitation string) (*View, error) {
	var after *View
	err := e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error {
		now := tx.Now()
		i, err := tx.Invitations().Get(ctx, start.Tenant, invitation)
		if err != nil {
			return err
		}
		if state := i.State(now); state != store.InvitationOpen {
			return &identity.Error{Kind: identity.Expired, Key: "error.expired", Err: fmt.Errorf("invitation %s is %s", i.ID, state)}
		}
		rules, err := e.rules(ctx, tx.Reader, start.Tenant)
		if err != nil {
			return err
		}
		byAddress := store.Rate{Kind: "begun by invitation, by address", Max: int(rules.Limits.MailCodesPerAddressProved), Per: time.Hour}
		if err := tx.Allow(ctx, i.Tenant, byAddress, store.Network(visit.Who.IP)); err != nil {
			return err
		}
		if err := tx.Allow(ctx, i.Tenant, begunByInvitation, i.ID); err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, i.Tenant, i.User)
		if err != nil {
			return err
		}
		j := &identity.Journey{Tenant: i.Tenant, ID: identity.NewID(identity.JourneyID), Application: start.Application.ID,
			Protocol: start.Application.Protocol, Request: start.Request, Invitation: i.ID, Browser: start.Browser,
			Fingerprint: start.Fingerprint, IP: start.IP, UserID: u.ID, Name: u.Name, Policy: rules.AccessVersion,
			Enroll: identity.EnrollPlatform, Code: identity.Code{PassedAt: now},
			StartedAt: now, ExpiresAt: now.Add(time.Duration(rules.Limits.JourneyLife) * time.Second)}
		if j.KnownBrowser, _, err = tx.Users().KnownBrowser(ctx, j.Tenant, j.UserID, j.Browser); err != nil {
			return err
		}
		if after, err = e.gather(ctx, tx.Reader, j, rules); err != nil {
			return err
		}
		if u.Password != "" && rules.Access.AsksPasswordOf(after.Groups) {
			j.Required = []identity.Validation{identity.Password}
			after.Step = Next(j, after.Facts, now)
		}
		if err := tx.Journeys().Add(ctx, j); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.EnrollInvitationBegun, User: j.UserID, Journey: j.ID,
			Data: map[string]string{"invitation": i.ID}, Personal: personal(j)})
	})
	return after, err
}

// invited is Next in a journey begun by an invitation. It ends where that is
// used up: by this journey well, by another one or an operator not.
func invited(j *identity.Journey, f Facts, now time.Time) Step {
	switch {
	case f.Redeemed:
		return Done
	case f.Withdrawn:
		return Refused
	case slices.Contains(j.Missing(), identity.Password):
		return AskPassword
	case now.Before(f.LockedUntil):
		return Locked
	case f.Disabled || f.Assigned > 0 || !f.Platform:
		return Refused
	}
	return enrolling(j)
}

// invitation gathers how the invitation stands by which a journey was begun. One
// that expired meanwhile keeps nobody from finishing what was begun in time.
func (v *View) invitation(ctx context.Context, r store.Reader) error {
	j := v.Journey
	if j.Invitation == "" {
		return nil
	}
	var err error
	if v.Invitation, err = r.Invitations().Get(ctx, j.Tenant, j.Invitation); err != nil {
		return err
	}
	v.Facts.Platform = len(v.Rules.Platforms.Allowed()) > 0 || v.ThirdParty() || v.PrivacyIDEA()
	switch v.Invitation.State(r.Now()) {
	case store.InvitationUsed:
		v.Facts.Redeemed = v.Invitation.Journey == j.ID
		v.Facts.Withdrawn = !v.Facts.Redeemed
	case store.InvitationRevoked, store.InvitationReplaced:
		v.Facts.Withdrawn = true
	}
	return nil
}

// Enrolled ends a journey by invitation whose authenticator is ready.
func (e *Engine) Enrolled(ctx context.Context, visit Visit, v *View) (*View, error) {
	return e.Step(ctx, visit, v, func(*store.Tx, *View) error { return nil }, Done)
}

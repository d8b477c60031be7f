package journey

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// perInvitation is how often one invitation may begin a journey: again and again
// for somebody who changes browsers, but not for somebody who fills the table.
var perInvitation = store.Rate{Kind: "begun by invitation", Max: 30, Per: time.Hour}

// begin begins a journey by the link of an enrolment mail. The link proves the
// mailbox as the mailed code does in a login, and is used up by nothing but the
// authenticator that comes of it. Wherever the access policy asks this user for a
// password, it is asked first, so that a mailbox, or a mail that was passed on, is
// not enough to become somebody's second factor.
func (s FromInvitation) begin(ctx context.Context, e *Engine, c Client) (after *Prompt, err error) {
	i, err := s.find(ctx, e, c)
	if errors.Is(err, identity.NotFound) {
		return &Prompt{Step: Refused, Reason: ReasonInvitationUnknown, Invited: true}, nil
	}
	if err != nil {
		return nil, err
	}
	err = e.DB.InTx(ctx, c.Who, func(tx *store.Tx) error {
		if i, err = tx.Invitations().Get(ctx, c.Tenant.ID, i.ID); err != nil {
			return err
		}
		if state := i.State(tx.Now()); state != store.InvitationOpen {
			after = &Prompt{Step: Refused, Reason: Reason(state), Invited: true}
			return nil
		}
		f, err := s.beginWith(ctx, tx, e, c, i)
		if err == nil {
			after, err = f.answer(ctx, tx.Reader)
		}
		return err
	})
	return after, err
}

// find finds the invitation of a secret. Wrong secrets are counted by network:
// nobody guesses 130 bits, but whoever tries shall not keep the database busy.
func (s FromInvitation) find(ctx context.Context, e *Engine, c Client) (store.Invitation, error) {
	if s.Secret == "" { // a slip: it can be nobody's
		return store.Invitation{}, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	i, err := e.DB.Invitations().BySecret(ctx, c.Tenant.ID, s.Secret)
	if !errors.Is(err, identity.NotFound) {
		return i, err
	}
	rules, failed := e.rules(ctx, e.DB.Reader, c.Tenant.ID)
	if failed != nil {
		return i, failed
	}
	failed = e.DB.InTx(ctx, c.Who, func(tx *store.Tx) error {
		rate := store.Rate{Kind: "wrong invitation", Max: int(rules.Limits.MailCodesPerAddress), Per: time.Hour}
		return tx.Allow(ctx, c.Tenant.ID, rate, store.Network(c.Who.IP))
	})
	if failed != nil {
		return i, failed
	}
	return i, err
}

func (s FromInvitation) beginWith(ctx context.Context, tx *store.Tx, e *Engine, c Client, i store.Invitation) (*flow, error) {
	rules, err := e.rules(ctx, tx.Reader, i.Tenant)
	if err != nil {
		return nil, err
	}
	perNetwork := store.Rate{Kind: "begun by invitation, by address", Max: int(rules.Limits.MailCodesPerAddressProved), Per: time.Hour}
	if err := tx.Allow(ctx, i.Tenant, perNetwork, store.Network(c.Who.IP)); err != nil {
		return nil, err
	}
	if err := tx.Allow(ctx, i.Tenant, perInvitation, i.ID); err != nil {
		return nil, err
	}
	u, err := tx.Users().Get(ctx, i.Tenant, i.User)
	if err != nil {
		return nil, err
	}
	j := newJourney(c, s.Application, tx.Now())
	j.Request, j.Invitation, j.UserID, j.Name, j.Policy = []byte(`{}`), i.ID, u.ID, u.Name, rules.AccessVersion
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, j.StartedAt
	j.ExpiresAt = j.StartedAt.Add(time.Duration(rules.Limits.JourneyLifetime) * time.Second)
	if j.KnownBrowser, _, err = tx.Users().KnownBrowser(ctx, j.Tenant, j.UserID, j.Browser); err != nil {
		return nil, err
	}
	f, err := e.loadUnder(ctx, tx.Reader, c, j, rules)
	if err != nil {
		return nil, err
	}
	if u.Password != "" && rules.Access.AsksPasswordOf(f.Groups) {
		j.Required = []identity.Validation{identity.Password}
	}
	f.Step, f.Reason = Next(j, f.Facts, tx.Now())
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.EnrollInvitationBegun, User: j.UserID, Journey: j.ID,
		Data: map[string]string{"invitation": i.ID}, Personal: personal(j)})
	if err != nil {
		return nil, err
	}
	return f.beginEnrollment(ctx, tx)
}

// beginEnrollment writes the new journey, at the activation already where there is
// one platform only.
func (f *flow) beginEnrollment(ctx context.Context, tx *store.Tx) (*flow, error) {
	if err := tx.Journeys().Add(ctx, f.Journey); err != nil {
		return nil, err
	}
	only, ok := f.onlyPlatform()
	if !ok {
		return f, nil
	}
	if err := f.choosePlatform(ctx, tx, only); err != nil {
		return nil, err
	}
	f, err := f.look(ctx, tx)
	if err != nil {
		return nil, err
	}
	return f, tx.Journeys().Step(ctx, f.Journey)
}

// loadInvitation reads where the invitation stands by which a journey was begun.
// One that expired meanwhile keeps nobody from finishing what was begun in time.
func (f *flow) loadInvitation(ctx context.Context, r store.Reader) (err error) {
	j := f.Journey
	if j.Invitation == "" {
		return nil
	}
	if f.Invitation, err = r.Invitations().Get(ctx, j.Tenant, j.Invitation); err != nil {
		return err
	}
	f.Facts.Platform = f.Rules.AnyPlatform(f.Groups)
	switch state := f.Invitation.State(r.Now()); state {
	case store.InvitationOpen:
	case store.InvitationUsed:
		if f.Facts.Enrolled = f.Invitation.Journey == j.ID; !f.Facts.Enrolled {
			f.Facts.Invitation = ReasonInvitationUsed
		}
	default:
		f.Facts.Invitation = Reason(state)
	}
	return nil
}

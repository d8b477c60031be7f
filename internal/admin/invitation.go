package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// How long the link of an enrolment mail can be used.
const (
	InvitationLife     = 7 * 24 * time.Hour // unless the operator says otherwise
	ShortestInvitation = time.Hour
	LongestInvitation  = 30 * 24 * time.Hour
)

// An Ineligible is why a user is not sent an enrolment mail, in words for an
// operator. Empty means that the user can be.
type Ineligible string

const (
	InviteDisabled   Ineligible = "is disabled"
	InviteHas        Ineligible = "has an authenticator already"
	InviteNoMail     Ineligible = "has no mail address"
	InviteNoPlatform Ineligible = "could enrol on no platform: none is allowed"
)

// MayInvite says why a user cannot be invited.
func MayInvite(ctx context.Context, r store.Reader, user identity.User) (Ineligible, error) {
	if !user.Enabled() {
		return InviteDisabled, nil
	}
	if has, err := authenticator.HasAnother(ctx, r, user, ""); err != nil || has {
		return InviteHas, err
	}
	if mail.CheckAddress(user.Mail) != nil {
		return InviteNoMail, nil
	}
	rules, err := allInForce(ctx, &documents{r: r, tenant: user.Tenant, versions: make(Versions)})
	if err != nil {
		return "", err
	}
	groups, err := r.Groups().IDsOfUser(ctx, user.Tenant, user.ID)
	if err != nil || rules.AnyPlatform(groups) { // as the page that the link leads to asks
		return "", err
	}
	return InviteNoPlatform, nil
}

// Invite mails a user a link to enrol with, in place of any sent before, and returns
// its invitation (ENR-19). base is the address of the tenant's pages, such as
// https://id.example.org/t/clinic. For a user who cannot be invited it returns the
// zero invitation and the reason.
func Invite(ctx context.Context, tx *store.Tx, user identity.User, life time.Duration, base string) (store.Invitation, Ineligible, error) {
	why, err := MayInvite(ctx, tx.Reader, user)
	if err != nil || why != "" {
		return store.Invitation{}, why, err
	}
	now := tx.Now()
	i := store.Invitation{Tenant: user.Tenant, ID: identity.NewID(identity.InvitationID), User: user.ID,
		CreatedAt: now, ExpiresAt: now.Add(life)}
	secret, err := replaceInvitation(ctx, tx, i)
	if err != nil {
		return i, "", err
	}
	err = mail.Queue(ctx, tx, mail.Message{
		Tenant: user.Tenant, To: user.Mail, Language: user.Language,
		Mail:   templates.Invitation{Name: user.Name, Link: enroll.InvitationLink(base, secret), Code: secret, Until: i.ExpiresAt},
		Dedupe: store.InvitationMail(i.ID), Expires: i.ExpiresAt,
	})
	if err != nil {
		return i, "", err
	}
	return i, "", tx.Event(ctx, audit.Event{Kind: audit.EnrollInvited, Tenant: user.Tenant, User: user.ID,
		Data:     map[string]string{"invitation": i.ID, "until": i.ExpiresAt.UTC().Format(time.RFC3339)},
		Personal: map[string]string{"to": user.Mail}})
}

// replaceInvitation adds an invitation under a new secret of 130 bits, and ends the
// open one of its user. It tries again if another was sent in between.
func replaceInvitation(ctx context.Context, tx *store.Tx, i store.Invitation) (secret string, err error) {
	for range 5 {
		before, err := tx.Invitations().Open(ctx, i.Tenant, i.User)
		switch {
		case err == nil:
			if err := endInvitation(ctx, tx, before, tx.Invitations().Replace, "replaced"); err != nil && !errors.Is(err, identity.Conflict) {
				return "", err
			}
		case !errors.Is(err, identity.NotFound):
			return "", err
		}
		secret = rand.Text()
		if added, err := tx.Invitations().Add(ctx, i, secret); err != nil || added {
			return secret, err
		}
	}
	return "", &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second,
		Err: errors.New("admin: no invitation could be added in five tries")}
}

// RevokeInvitation ends an invitation for good, with what was begun with it. One that
// is used up or ended already is a Conflict.
func RevokeInvitation(ctx context.Context, tx *store.Tx, i store.Invitation) error {
	return endInvitation(ctx, tx, i, tx.Invitations().Revoke, "revoked")
}

// endInvitation ends an invitation by how, which revokes or replaces it: its mail is
// not sent any more, an authenticator that is being set up with it is void, and the
// pages it opened say so.
func endInvitation(ctx context.Context, tx *store.Tx, i store.Invitation, how func(context.Context, store.Invitation) (bool, error), reason string) error {
	ended, err := how(ctx, i)
	if err != nil {
		return err
	}
	if !ended {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: errors.New("the invitation is over already")}
	}
	if err := tx.Outbox().Withdraw(ctx, i.Tenant, store.InvitationMail(i.ID), reason); err != nil {
		return err
	}
	if err := voidBegun(ctx, tx, i, reason); err != nil {
		return err
	}
	if err := tx.Invitations().NotifyJourneys(ctx, i); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollInvitationEnded, Tenant: i.Tenant, User: i.User, Reason: reason,
		Data: map[string]string{"invitation": i.ID}})
}

// voidBegun voids the open activation of an invitation's user if the invitation led to
// it. One that came of a login stays.
func voidBegun(ctx context.Context, tx *store.Tx, i store.Invitation, reason string) error {
	act, err := tx.Activations().Open(ctx, i.Tenant, i.User)
	if errors.Is(err, identity.NotFound) || err == nil && act.Journey == "" {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := tx.Journeys().Get(ctx, i.Tenant, act.Journey)
	if err != nil || j.Invitation != i.ID {
		return err
	}
	return authenticator.VoidActivation(ctx, tx, i.Tenant, i.User, reason)
}

// An InvitationRequest says how users are to be invited.
type InvitationRequest struct {
	Life   time.Duration // of the link, from ShortestInvitation to LongestInvitation
	Base   string        // address of the tenant's pages, such as https://id.example.org/t/clinic
	Again  bool          // though a link was sent that still works, which then ends
	DryRun bool          // only say what would happen
}

// An InvitationResult is what became of one user. One who was not invited has a
// reason, or a link that still works.
type InvitationResult struct {
	User         identity.User
	Invited      bool // or would be, in a dry run
	Invitation   store.Invitation
	Ineligible   Ineligible
	WorkingUntil time.Time // of the link that was sent before, and is left alone
}

// InviteEach invites users, each in a transaction of its own: if it is interrupted,
// those who have a link are left out when it is done again. It returns what became
// of each, up to the one at whom an error ended it.
func InviteEach(ctx context.Context, db *store.DB, who identity.Principal, users []identity.User, r InvitationRequest) ([]InvitationResult, error) {
	results := make([]InvitationResult, 0, len(users))
	for _, u := range users {
		result, err := inviteOne(ctx, db, who, u, r)
		if err != nil {
			return results, fmt.Errorf("at %s: %w", u.Name, err)
		}
		results = append(results, result)
	}
	return results, nil
}

func inviteOne(ctx context.Context, db *store.DB, who identity.Principal, u identity.User, r InvitationRequest) (InvitationResult, error) {
	result := InvitationResult{User: u}
	if r.DryRun {
		err := db.InSnapshot(ctx, func(snapshot store.Reader) error { return result.decide(ctx, snapshot, r) })
		result.Invited, result.Invitation.ExpiresAt = result.Ineligible == "" && result.WorkingUntil.IsZero(), db.Now().Add(r.Life)
		return result, err
	}
	err := db.InTx(ctx, who, func(tx *store.Tx) error {
		if err := tx.Invitations().LockUser(ctx, u.Tenant, u.ID); err != nil {
			return err
		}
		err := result.decide(ctx, tx.Reader, r)
		if err != nil || result.Ineligible != "" || !result.WorkingUntil.IsZero() {
			return err
		}
		result.Invitation, result.Ineligible, err = Invite(ctx, tx, u, r.Life, r.Base)
		result.Invited = result.Ineligible == ""
		return err
	})
	return result, err
}

// decide notes why a user is not invited, if there is a reason.
func (result *InvitationResult) decide(ctx context.Context, r store.Reader, request InvitationRequest) error {
	before, err := r.Invitations().Open(ctx, result.User.Tenant, result.User.ID)
	switch {
	case err == nil && !request.Again && before.State(r.Now()) == store.InvitationOpen:
		result.WorkingUntil = before.ExpiresAt
		return nil
	case err != nil && !errors.Is(err, identity.NotFound):
		return err
	}
	result.Ineligible, err = MayInvite(ctx, r, result.User)
	return err
}

// RevokeOpenInvitation ends the link that a user was sent last, with what was begun
// by it, and returns it as it is then. A NotFound says that there is none that could
// still be used.
func RevokeOpenInvitation(ctx context.Context, tx *store.Tx, user identity.User) (store.Invitation, error) {
	i, err := tx.Invitations().Open(ctx, user.Tenant, user.ID)
	if err != nil {
		return i, err
	}
	if err := RevokeInvitation(ctx, tx, i); err != nil {
		return i, err
	}
	return tx.Invitations().Get(ctx, i.Tenant, i.ID)
}

package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// How long the link of an enrolment mail can be used.
const (
	InvitationLife     = 7 * 24 * time.Hour // unless the operator says otherwise
	ShortestInvitation = time.Hour
	LongestInvitation  = 30 * 24 * time.Hour
)

// A Hindrance is why a user is not sent an enrolment mail, in words for an
// operator. Empty means that nothing is in the way.
type Hindrance string

const (
	InviteDisabled   Hindrance = "is disabled"
	InviteHas        Hindrance = "has an authenticator already"
	InviteNoMail     Hindrance = "has no mail address"
	InviteNoPlatform Hindrance = "could enrol on no platform: none is allowed"
)

// An InvitationReader is what questions about invitations are read through: the
// database, or a transaction.
type InvitationReader interface {
	Reader
	Authenticators(ctx context.Context, tenant, user string) iter.Seq2[identity.Authenticator, error]
}

// Hindered says what keeps a user from being invited.
func Hindered(ctx context.Context, r InvitationReader, user identity.User) (Hindrance, error) {
	if !user.Enabled() {
		return InviteDisabled, nil
	}
	if has, err := holds(ctx, r, user, ""); err != nil || has {
		return InviteHas, err
	}
	if mail.CheckAddress(user.Mail) != nil {
		return InviteNoMail, nil
	}
	rules, err := ReadRules(ctx, r, user.Tenant)
	if err != nil || len(rules.Platforms.Allowed()) > 0 || rules.SelfProvisioning.ThirdParty || rules.allow(identity.PrivacyIDEA) {
		return "", err
	}
	return InviteNoPlatform, nil
}

// holds reports whether a user has an authenticator that counts as having one,
// besides one. What is half made does not (ENR-1).
func holds(ctx context.Context, r InvitationReader, user identity.User, besides string) (bool, error) {
	var others []identity.Authenticator
	var halfMade []string
	for a, err := range r.Authenticators(ctx, user.Tenant, user.ID) {
		switch {
		case err != nil:
			return false, err
		case a.ID == besides:
			continue
		case a.State() == identity.Pending:
			halfMade = append(halfMade, a.ID)
		}
		others = append(others, a)
	}
	return policy.Counting(others, halfMade) > 0, nil
}

// Invite mails a user a link to enrol by, in place of any sent before, and
// returns the invitation behind it (ENR-19). base is the address of the tenant's
// pages, such as https://id.example.org/t/clinic. A user whom something hinders
// is not invited; the zero invitation and the hindrance say so.
func Invite(ctx context.Context, tx *store.Tx, user identity.User, life time.Duration, base string) (store.Invitation, Hindrance, error) {
	why, err := Hindered(ctx, tx, user)
	if err != nil || why != "" {
		return store.Invitation{}, why, err
	}
	now := tx.Now()
	i := store.Invitation{Tenant: user.Tenant, ID: identity.NewID(identity.InvitationID), User: user.ID,
		CreatedAt: now, ExpiresAt: now.Add(life)}
	secret, err := replace(ctx, tx, i)
	if err != nil {
		return i, "", err
	}
	err = mail.Queue(ctx, tx, mail.Message{
		Tenant: user.Tenant, Kind: templates.MailInvitation, To: user.Mail, Language: user.Language,
		Args:   templates.Invitation{Name: user.Name, Link: invitationLink(base, secret), Code: secret, Until: i.ExpiresAt},
		Dedupe: store.InvitationMail(i.ID), Expires: i.ExpiresAt,
	})
	if err != nil {
		return i, "", err
	}
	return i, "", tx.Event(ctx, audit.Event{Kind: audit.EnrollInvited, Tenant: user.Tenant, User: user.ID,
		Data:     map[string]string{"invitation": i.ID, "until": i.ExpiresAt.UTC().Format(time.RFC3339)},
		Personal: map[string]string{"to": user.Mail}})
}

// replace adds an invitation under a new secret, of 130 bits, and ends the open
// one of its user. It tries again where another was sent in between.
func replace(ctx context.Context, tx *store.Tx, i store.Invitation) (secret string, err error) {
	for range 5 {
		before, err := tx.OpenInvitation(ctx, i.Tenant, i.User)
		switch {
		case err == nil:
			if err := end(ctx, tx, before, tx.ReplaceInvitation, "replaced"); err != nil && !errors.Is(err, identity.Conflict) {
				return "", err
			}
		case !errors.Is(err, identity.NotFound):
			return "", err
		}
		secret = rand.Text()
		if added, err := tx.AddInvitation(ctx, i, secret); err != nil || added {
			return secret, err
		}
	}
	return "", &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second,
		Err: errors.New("enroll: no invitation could be added in five tries")}
}

// Revoke ends an invitation for good, with what was begun by it. One that is
// used up or ended already is a Conflict.
func Revoke(ctx context.Context, tx *store.Tx, i store.Invitation) error {
	return end(ctx, tx, i, tx.RevokeInvitation, "revoked")
}

// end ends an invitation in one of the ways there are: its mail is not sent any
// more, an authenticator that is being made by it is void, and the pages it
// opened say so.
func end(ctx context.Context, tx *store.Tx, i store.Invitation, how func(context.Context, store.Invitation) (bool, error), reason string) error {
	ended, err := how(ctx, i)
	if err != nil {
		return err
	}
	if !ended {
		return &identity.Error{Kind: identity.Conflict, Key: "error.conflict", Err: fmt.Errorf("enroll: invitation %s is over already", i.ID)}
	}
	if err := tx.WithdrawMessage(ctx, i.Tenant, store.InvitationMail(i.ID), reason); err != nil {
		return err
	}
	if err := voidBegun(ctx, tx, i, reason); err != nil {
		return err
	}
	if err := tx.WakeInvited(ctx, i); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollInvitationEnded, Tenant: i.Tenant, User: i.User, Reason: reason,
		Data: map[string]string{"invitation": i.ID}})
}

// voidBegun voids the open activation of an invitation's user if it came of the
// invitation, and leaves one of a login alone.
func voidBegun(ctx context.Context, tx *store.Tx, i store.Invitation, reason string) error {
	act, err := tx.OpenActivation(ctx, i.Tenant, i.User)
	if errors.Is(err, identity.NotFound) || err == nil && act.Journey == "" {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := tx.Journey(ctx, i.Tenant, act.Journey)
	if err != nil || j.Invitation != i.ID {
		return err
	}
	return void(ctx, tx, i.Tenant, i.User, reason)
}

// redeem uses up the invitation by which a journey was begun, if it was, in the
// transaction in which the authenticator a became active. That alone does: who
// opened the link, or began and gave up, can begin again. A Conflict says that
// the invitation ended meanwhile or that its user got another authenticator.
func redeem(ctx context.Context, tx *store.Tx, journey string, user identity.User, a identity.Authenticator) error {
	if journey == "" {
		return nil
	}
	j, err := tx.Journey(ctx, user.Tenant, journey)
	if err != nil || j.Invitation == "" {
		return err
	}
	i, err := tx.Invitation(ctx, j.Tenant, j.Invitation)
	if err != nil {
		return err
	}
	has, err := holds(ctx, tx, user, a.ID)
	if err != nil {
		return err
	}
	refused := func(why string) error {
		return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: fmt.Errorf("enroll: invitation %s: %s", i.ID, why)}
	}
	if has || i.User != user.ID {
		return refused("not for this user any more")
	}
	// Until its journeys are over, too: after that it would be refused for its age.
	until := i.ExpiresAt.Add(policy.JourneyMost*time.Second + pendingLife)
	if err := tx.UseOnce(ctx, i.Tenant, "invitation", i.ID, until); err != nil {
		return err
	}
	switch used, err := tx.UseInvitation(ctx, i, j.ID); {
	case err != nil:
		return err
	case !used:
		return refused("over")
	}
	if err := tx.WakeInvited(ctx, i); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollInvitationUsed, Tenant: i.Tenant, User: user.ID, Authenticator: a.ID, Journey: j.ID,
		Data: map[string]string{"invitation": i.ID}})
}

// invitationMark begins the fragment of an enrolment mail's link, and says of
// which make it is.
const invitationMark = "#i1."

// invitationLink is the link in the mail. The secret stands in the fragment,
// which no browser sends: it is in no log and no Referer, and what fetches links
// to look at them never has it (T-LOG-19).
func invitationLink(base, secret string) string { return base + "/enroll" + invitationMark + secret }

// InvitationSecret returns the secret in what a person brought from the mail:
// the link, its fragment, or the code by itself as typed or pasted. It is empty
// if it cannot be one.
func InvitationSecret(brought string) string {
	if len(brought) > 2048 {
		return ""
	}
	if i := strings.LastIndex(brought, invitationMark); i >= 0 {
		brought = brought[i+len(invitationMark):]
	}
	secret := strings.ToUpper(strings.Join(strings.Fields(brought), ""))
	if len(secret) != 26 || strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return secret
}

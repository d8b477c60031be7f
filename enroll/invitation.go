package enroll

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// consumeInvitation uses up the invitation by which a journey was begun, if it was, in the
// transaction in which the authenticator a became active. That alone does: who
// opened the link, or began and gave up, can begin again. A Conflict says that
// the invitation ended meanwhile or that its user got another authenticator.
func consumeInvitation(ctx context.Context, tx *store.Tx, journey string, user identity.User, a identity.Authenticator) error {
	if journey == "" {
		return nil
	}
	j, err := tx.Journeys().Get(ctx, user.Tenant, journey)
	if err != nil || j.Invitation == "" {
		return err
	}
	i, err := tx.Invitations().Get(ctx, j.Tenant, j.Invitation)
	if err != nil {
		return err
	}
	has, err := authenticator.HasAnother(ctx, tx.Reader, user, a.ID)
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
	until := i.ExpiresAt.Add(policy.MaxJourneyLifetime*time.Second + PendingLife)
	if err := tx.UseOnce(ctx, i.Tenant, "invitation", i.ID, until); err != nil {
		return err
	}
	switch used, err := tx.Invitations().Use(ctx, i, j.ID); {
	case err != nil:
		return err
	case !used:
		return refused("over")
	}
	if err := tx.Invitations().NotifyJourneys(ctx, i); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: audit.EnrollInvitationUsed, Tenant: i.Tenant, User: user.ID, Authenticator: a.ID, Journey: j.ID,
		Data: map[string]string{"invitation": i.ID}})
}

// invitationMark begins the fragment of an enrolment mail's link, and says of
// which make it is.
const invitationMark = "#i1."

// InvitationLink is the link in the mail. The secret stands in the fragment,
// which no browser sends: it is in no log and no Referer, and what fetches links
// to look at them never has it (T-LOG-19).
func InvitationLink(base, secret string) string { return base + "/enroll" + invitationMark + secret }

// decodedMark decodes the number sign of a link that a mail gateway re-encoded, once or twice.
var decodedMark = strings.NewReplacer("%2523", "#", "%23", "#")

// MangledInvitation returns the fragment, without its number sign, of a link whose number
// sign a mail gateway re-encoded, so that it arrived as the last part of the path; empty if
// it cannot be one.
func MangledInvitation(part string) string {
	fragment, ok := strings.CutPrefix(decodedMark.Replace(part), "enroll#")
	if !ok || InvitationSecret("#"+fragment) == "" {
		return ""
	}
	return fragment
}

// InvitationSecret returns the secret in what a person brought from the mail:
// the link, its fragment, or the code by itself as typed or pasted. It is empty
// if it cannot be one.
func InvitationSecret(brought string) string {
	if len(brought) > 2048 {
		return ""
	}
	brought = decodedMark.Replace(brought)
	if i := strings.LastIndex(brought, invitationMark); i >= 0 {
		brought, _, _ = strings.Cut(brought[i+len(invitationMark):], "&") // of a gateway's link around it
	}
	secret := strings.ToUpper(strings.Join(strings.Fields(brought), ""))
	if len(secret) != 26 || strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return secret
}

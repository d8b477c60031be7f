package store

import (
	"context"
	"iter"
	"time"
)

// An Invitation permits a user to enrol an authenticator by the link of a mail that
// an operator sent (ENR-19). Of its secret only a hash is stored.
type Invitation struct {
	Tenant     string
	ID         string
	User       string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time
	Journey    string // in which it was used; empty before
	RevokedAt  time.Time
	ReplacedAt time.Time
}

// An InvitationState is the state of an invitation.
type InvitationState string

const (
	InvitationOpen     InvitationState = "open"
	InvitationUsed     InvitationState = "used"
	InvitationRevoked  InvitationState = "revoked"
	InvitationReplaced InvitationState = "replaced"
	InvitationExpired  InvitationState = "expired"
)

// InvitationStates are all states.
var InvitationStates = []InvitationState{InvitationOpen, InvitationUsed, InvitationRevoked, InvitationReplaced, InvitationExpired}

// State returns the state at a time. What was done to an invitation takes precedence
// over its having expired since.
func (i Invitation) State(now time.Time) InvitationState {
	switch {
	case !i.UsedAt.IsZero():
		return InvitationUsed
	case !i.RevokedAt.IsZero():
		return InvitationRevoked
	case !i.ReplacedAt.IsZero():
		return InvitationReplaced
	case !now.Before(i.ExpiresAt):
		return InvitationExpired
	}
	return InvitationOpen
}

// InvitationMail is the deduplication key of the mail of an invitation.
func InvitationMail(id string) string { return "invitation " + id }

const invitationColumns = `i.tenant_id, i.id, i.user_id, i.created_at, i.expires_at, i.used_at, i.journey_id, i.revoked_at, i.replaced_at`

func invitationFields(i *Invitation) []any {
	return []any{&i.Tenant, &i.ID, &i.User, nullTime{&i.CreatedAt}, nullTime{&i.ExpiresAt}, nullTime{&i.UsedAt}, &i.Journey,
		nullTime{&i.RevokedAt}, nullTime{&i.ReplacedAt}}
}

func scanInvitation(row scanner) (i Invitation, err error) {
	return i, row.Scan(invitationFields(&i)...)
}

// Invitations reads and writes invitations (ENR-19).
type Invitations struct {
	InvitationReads
	tx *Tx
}

// Invitations returns the view; what it writes is part of the transaction.
func (tx *Tx) Invitations() Invitations { return Invitations{tx.Reader.Invitations(), tx} }

// InvitationReads are the reads of [Invitations].
type InvitationReads struct{ r Reader }

// Invitations returns the view for reading.
func (r Reader) Invitations() InvitationReads { return InvitationReads{r} }

// Get returns an invitation by id.
func (v InvitationReads) Get(ctx context.Context, tenant, id string) (Invitation, error) {
	i, err := scanInvitation(v.r.q.QueryRowContext(ctx, `
		SELECT `+invitationColumns+` FROM invitations i WHERE i.tenant_id = $1 AND i.id = $2`, tenant, id))
	if err != nil {
		return i, notFound("invitation "+id, err)
	}
	return i, nil
}

// BySecret returns the invitation of a link's secret, in any state.
func (v InvitationReads) BySecret(ctx context.Context, tenant, secret string) (Invitation, error) {
	i, err := scanInvitation(v.r.q.QueryRowContext(ctx, `
		SELECT `+invitationColumns+` FROM invitations i WHERE i.tenant_id = $1 AND i.secret_hash = $2`, tenant, Hash(secret)))
	if err != nil {
		return i, notFound("invitation by secret", err)
	}
	return i, nil
}

// Open returns the invitation of a user that was neither used nor revoked nor
// replaced; it may have expired. Without one it returns a NotFound.
func (v InvitationReads) Open(ctx context.Context, tenant, user string) (Invitation, error) {
	i, err := scanInvitation(v.r.q.QueryRowContext(ctx, `
		SELECT `+invitationColumns+` FROM invitations i
		WHERE i.tenant_id = $1 AND i.user_id = $2 AND `+openInvitation, tenant, user))
	if err != nil {
		return i, notFound("open invitation of "+user, err)
	}
	return i, nil
}

// openInvitation is the condition that an invitation can be used, unless it has
// expired.
const openInvitation = `used_at IS NULL AND revoked_at IS NULL AND replaced_at IS NULL`

// A SentInvitation is an invitation with the name of its user and the state of its
// mail.
type SentInvitation struct {
	Invitation
	Name     string // of the user
	To       string // the address it was sent to; empty once the mail is erased
	MailedAt time.Time
	FailedAt time.Time // the mail was given up
	Attempts int64
}

// List yields the invitations of a user or, if user is empty, of the tenant, newest
// first.
func (v InvitationReads) List(ctx context.Context, tenant, user string) iter.Seq2[SentInvitation, error] {
	return list(ctx, v.r, "invitations", func(row scanner) (s SentInvitation, err error) {
		var to *string
		var attempts *int64
		err = row.Scan(append(invitationFields(&s.Invitation), &s.Name, &to, nullTime{&s.MailedAt}, nullTime{&s.FailedAt}, &attempts)...)
		if to != nil {
			s.To, s.Attempts = *to, *attempts
		}
		return s, err
	}, `
		SELECT `+invitationColumns+`, u.name, o.recipient, o.sent_at, o.failed_at, o.attempts
		FROM invitations i JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.user_id
			LEFT JOIN outbox o ON o.tenant_id = i.tenant_id AND o.dedupe = '`+InvitationMail("")+`' || i.id
		WHERE i.tenant_id = $1 AND ($2 = '' OR i.user_id = $2)
		ORDER BY i.created_at DESC, i.id DESC`, tenant, user)
}

// Add adds an invitation under a secret. It reports false, and adds nothing, if the
// user has an open one; the caller then replaces that and tries again.
func (v Invitations) Add(ctx context.Context, i Invitation, secret string) (bool, error) {
	n, err := v.tx.exec(ctx, "add invitation", `
		INSERT INTO invitations (tenant_id, id, user_id, secret_hash, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		i.Tenant, i.ID, i.User, Hash(secret), at(v.tx.now()), at(i.ExpiresAt))
	return n == 1, err
}

// Replace ends an open invitation because of a newer one, and reports whether it was
// still open.
func (v Invitations) Replace(ctx context.Context, i Invitation) (bool, error) {
	n, err := v.tx.exec(ctx, "replace invitation", `
		UPDATE invitations SET replaced_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+openInvitation, i.Tenant, i.ID, at(v.tx.now()))
	return n == 1, err
}

// Revoke ends an open invitation, and reports whether it was still open.
func (v Invitations) Revoke(ctx context.Context, i Invitation) (bool, error) {
	n, err := v.tx.exec(ctx, "revoke invitation", `
		UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND `+openInvitation, i.Tenant, i.ID, at(v.tx.now()))
	return n == 1, err
}

// Use uses up an invitation in a journey. Of several journeys at once one succeeds;
// for the others, and after a revocation, Use reports false. It does not check the
// time: what was begun before the invitation expired may be finished afterwards.
func (v Invitations) Use(ctx context.Context, i Invitation, journey string) (bool, error) {
	n, err := v.tx.exec(ctx, "use invitation", `
		UPDATE invitations SET used_at = $3, journey_id = $4 WHERE tenant_id = $1 AND id = $2 AND `+openInvitation,
		i.Tenant, i.ID, at(v.tx.now()), journey)
	return n == 1, err
}

// NotifyJourneys notifies the pages of all open journeys that an invitation began, so
// that they show its new state.
func (v Invitations) NotifyJourneys(ctx context.Context, i Invitation) error {
	for id, err := range list(ctx, v.tx.Reader, "journeys of "+i.ID, scanID, `
		SELECT id FROM journeys WHERE tenant_id = $1 AND user_id = $2 AND invitation_id = $3 AND ended_at IS NULL AND expires_at > $4`,
		i.Tenant, i.User, i.ID, at(v.tx.now())) {
		if err != nil {
			return err
		}
		v.tx.Notify(JourneyTopic(id))
	}
	return nil
}

// LockUser keeps other transactions that lock it from inviting a user until the end
// of this one.
func (v Invitations) LockUser(ctx context.Context, tenant, user string) error {
	_, err := v.tx.exec(ctx, "lock user", `UPDATE users SET mail = mail WHERE tenant_id = $1 AND id = $2`, tenant, user)
	return err
}

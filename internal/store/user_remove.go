package store

import (
	"context"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Belongings counts what is removed with a user.
type Belongings struct {
	Authenticators int64 // not revoked, and not shared with others
	Groups         int64 // memberships
	Sessions       int64 // live
	Events         int64 // of which the personal part is erased
}

// Belongings counts what would be removed with a user.
func (v UserReads) Belongings(ctx context.Context, tenant, user string) (b Belongings, err error) {
	err = v.r.q.QueryRowContext(ctx, `
		SELECT (SELECT COUNT(*) FROM authenticator_users u JOIN authenticators a ON a.tenant_id = u.tenant_id AND a.id = u.authenticator_id
				WHERE u.tenant_id = $1 AND u.user_id = $2 AND a.revoked_at IS NULL AND `+onlyTheirs+`),
			(SELECT COUNT(*) FROM group_members m WHERE m.tenant_id = $1 AND m.user_id = $2),
			(SELECT COUNT(*) FROM sessions s WHERE s.tenant_id = $1 AND s.user_id = $2 AND s.ended_at IS NULL AND s.expires_at > $3 AND s.seen_at + s.idle > $3),
			(SELECT COUNT(*) FROM events e WHERE e.tenant_id = $1 AND e.user_id = $2 AND e.personal IS NOT NULL)`,
		tenant, user, at(v.r.now())).Scan(&b.Authenticators, &b.Groups, &b.Sessions, &b.Events)
	if err != nil {
		return b, notFound("belongings of "+user, err)
	}
	return b, nil
}

// erasures erase every column with personal data. $1 is the tenant, $2 the user. Rows
// to which others refer stay.
var erasures = []string{
	`DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2`,
	`DELETE FROM browser_users WHERE tenant_id = $1 AND user_id = $2`,
	`DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2`,
	`DELETE FROM temporary_passcodes WHERE tenant_id = $1 AND user_id = $2`,
	`DELETE FROM passkeys WHERE tenant_id = $1 AND user_id = $2`,
	`DELETE FROM subjects WHERE tenant_id = $1 AND user_id = $2 /* full scan */`,
	`UPDATE push_requests SET name = '', ip = '', place = '', number = NULL, options = NULL WHERE tenant_id = $1 AND user_id = $2`,
	`UPDATE remembered_devices SET agent = '', ip = '' WHERE tenant_id = $1 AND user_id = $2 /* full scan */`,
	`UPDATE activations SET sealed = NULL, language = '' WHERE tenant_id = $1 AND user_id = $2 /* full scan */`,
	// The rows stay, so that the app, which is known by its key, is told that it was
	// revoked.
	`UPDATE authenticators AS a SET name = '' WHERE a.tenant_id = $1 AND a.id IN (SELECT u.authenticator_id
		FROM authenticator_users u WHERE u.tenant_id = $1 AND u.user_id = $2) AND ` + onlyTheirs,
	`UPDATE session_applications SET subject = '' WHERE tenant_id = $1 AND session_id IN (SELECT s.id
		FROM sessions s WHERE s.tenant_id = $1 AND s.user_id = $2)`,
	`UPDATE sessions SET agent = '', ip = '' WHERE tenant_id = $1 AND user_id = $2`,
	`UPDATE oidc_grants SET subject = '', nonce = '' WHERE tenant_id = $1 AND user_id = $2`,
	// The request of an application can name the person too (login_hint, Subject).
	`UPDATE journeys SET name = '', ip = '', fingerprint = '', language = '', request = '{}' WHERE tenant_id = $1 AND user_id = $2`,
	`UPDATE events SET salt = NULL, personal = NULL WHERE tenant_id = $1 AND user_id = $2 AND personal IS NOT NULL`,
}

// Remove erases a user. Only the id remains, and is never used again; the name is
// free. Events keep what happened, but no longer to whom. The chain over them stays
// valid, since it covers a salted hash of the personal part. RevokeAllAccess must
// have been called before, in the same transaction.
func (v Users) Remove(ctx context.Context, u identity.User) error {
	// What the transaction recorded before is erased too.
	if err := v.tx.writeEvents(ctx); err != nil {
		return err
	}
	for _, erase := range erasures {
		if _, err := v.tx.exec(ctx, "erase "+u.ID, erase, u.Tenant, u.ID); err != nil {
			return err
		}
	}
	if u.Mail != "" {
		// Another user may have the same address.
		if _, err := v.tx.exec(ctx, "erase mails to "+u.ID, `
			/* full scan */ DELETE FROM outbox WHERE tenant_id = $1 AND recipient = $3 AND NOT EXISTS (SELECT 1 FROM users o
				WHERE o.tenant_id = $1 AND o.mail = $3 AND o.id <> $2)`, u.Tenant, u.ID, u.Mail); err != nil {
			return err
		}
	}
	n, err := v.tx.exec(ctx, "remove "+u.ID, `
		UPDATE users SET name = '', name_folded = id, display_name = '', mail = '', mail_folded = '', language = '', password = '',
			failures = 0, locked_until = NULL, locked_at = NULL, may_enroll_at = NULL,
			disabled_at = COALESCE(disabled_at, $3), removed_at = $3
		WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL`, u.Tenant, u.ID, at(v.tx.now()))
	if err == nil && n == 0 {
		err = &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("store: user %s is removed already", u.ID)}
	}
	return err
}

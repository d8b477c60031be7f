package store

import (
	"context"
	"crypto/rand"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Cut counts what CutOff ended.
type RevokedAccess struct{ Sessions, Journeys, Pushes, Grants int64 }

// RevokeAllAccess ends all a user has open, at once: sessions and what they are logged in
// to, push requests, journeys, and the grants of OpenID Connect with every token
// they gave. It belongs in the transaction that disables or removes the user.
//
// A journey in which nothing was proved becomes a decoy instead, and keeps its
// version: whoever sits in front of it may be anybody, and must not learn from
// it that the name was somebody's (ENR-4). It goes on as for an unknown name.
func (v Users) RevokeAllAccess(ctx context.Context, tenant, user string) (RevokedAccess, error) {
	var e RevokedAccess
	if err := v.Notify(ctx, tenant, user); err != nil {
		return e, err
	}
	var err error
	if e.Pushes, err = v.tx.exec(ctx, "end push requests of "+user, `
		UPDATE push_requests SET ended_at = $3, outcome = $4, number = NULL, options = NULL
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), string(PushCancelled)); err != nil {
		return e, err
	}
	ended, err := v.tx.Journeys().endAll(ctx, tenant, user)
	if err != nil {
		return e, err
	}
	e.Journeys = int64(len(ended))
	if e.Sessions, err = v.tx.Sessions().EndAll(ctx, tenant, user); err != nil {
		return e, err
	}
	if e.Grants, err = v.tx.Grants().RevokeAll(ctx, tenant, user); err != nil {
		return e, err
	}
	_, err = v.tx.Devices().ForgetAll(ctx, tenant, user, "user disabled") // enabled again, the user is asked again
	return e, err
}

// RevokeAll revokes every grant of a user, with the codes and tokens it
// gave, those for use offline too, and reports how many there were.
func (v Grants) RevokeAll(ctx context.Context, tenant, user string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()))
}

// RevokeOtherSessions is [Grants.RevokeAll] but for the grants of one session.
func (v Grants) RevokeOtherSessions(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke other grants of "+user, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id <> $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}

// RevokeSession revokes what one session of a user was granted, for use
// offline too.
func (v Grants) RevokeSession(ctx context.Context, tenant, user, session string) (int64, error) {
	return v.tx.exec(ctx, "revoke grants of "+session, `
		UPDATE oidc_grants SET revoked_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND session_id = $4 AND revoked_at IS NULL AND expires_at > $3`,
		tenant, user, at(v.tx.now()), session)
}

// proved is which open journeys somebody showed to be their user's: by a
// password, an authenticator, a session, a mailed code, or a mailed link.
const proved = `(code_passed_at IS NOT NULL OR EXISTS (SELECT 1 FROM journey_passed p
	WHERE p.tenant_id = journeys.tenant_id AND p.journey_id = journeys.id AND p.revoked_at IS NULL))`

func (v Journeys) endAll(ctx context.Context, tenant, user string) ([]string, error) {
	ended, err := Collect(list(ctx, v.tx.Reader, "end journeys of "+user, scanID, `
		UPDATE journeys SET ended_at = $3, outcome = $4, version = version + 1
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 AND `+proved+`
		RETURNING id`, tenant, user, at(v.tx.now()), string(identity.Denied)))
	if err != nil {
		return nil, err
	}
	for _, id := range ended {
		v.tx.Notify(JourneyTopic(id))
	}
	// A code that was mailed must be wrong from now on, not gone: a decoy waits
	// for one that nobody was sent.
	wrong := make([]byte, 32)
	rand.Read(wrong)
	if _, err := v.tx.exec(ctx, "void codes of "+user, `
		UPDATE journeys SET code_mac = $4
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 AND code_mac IS NOT NULL`,
		tenant, user, at(v.tx.now()), wrong); err != nil {
		return nil, err
	}
	_, err = v.tx.exec(ctx, "make decoys of "+user, `
		UPDATE journeys SET user_id = NULL, decoy = 1, known_browser = 0, push_id = ''
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`, tenant, user, at(v.tx.now()))
	return ended, err
}

// RevokePassword makes a user's unfinished journeys ask for the password
// again: the one they were given is no longer it. Those that are about to set
// another begin anew too. All but the journey beside, in which it was changed.
func (v Journeys) RevokePassword(ctx context.Context, tenant, user, beside string) error {
	journeys, err := Collect(list(ctx, v.tx.Reader, "take back the password of "+user, scanID, `
		UPDATE journeys SET version = version + 1, reset = ''
		WHERE tenant_id = $1 AND user_id = $2 AND id <> $4 AND ended_at IS NULL AND expires_at > $3 AND `+proved+`
		RETURNING id`, tenant, user, at(v.tx.now()), beside))
	if err != nil {
		return err
	}
	for _, id := range journeys {
		v.tx.Notify(JourneyTopic(id))
		if _, err := v.tx.exec(ctx, "take back the password of "+user, `
			UPDATE journey_passed SET revoked_at = $3
			WHERE tenant_id = $1 AND journey_id = $2 AND validation = $4 AND revoked_at IS NULL`,
			tenant, id, at(v.tx.now()), string(identity.Password)); err != nil {
			return err
		}
	}
	return nil
}

func scanID(row scanner) (id string, err error) { return id, row.Scan(&id) }

package store

import (
	"context"
	"crypto/rand"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// provedJourney is the condition that somebody has proved, in an open journey, to be
// its user: by a password, an authenticator, a session, a mailed code, or a mailed
// link.
const provedJourney = `(code_passed_at IS NOT NULL OR EXISTS (SELECT 1 FROM journey_passed p
	WHERE p.tenant_id = journeys.tenant_id AND p.journey_id = journeys.id AND p.revoked_at IS NULL))`

func (v Journeys) endAll(ctx context.Context, tenant, user string) ([]string, error) {
	ended, err := Collect(list(ctx, v.tx.Reader, "end journeys of "+user, scanID, `
		UPDATE journeys SET ended_at = $3, outcome = $4, version = version + 1
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 AND `+provedJourney+`
		RETURNING id`, tenant, user, at(v.tx.now()), string(identity.Denied)))
	if err != nil {
		return nil, err
	}
	for _, id := range ended {
		v.tx.Notify(JourneyTopic(id))
	}
	// A mailed code must be wrong from now on instead of missing: a decoy also waits
	// for a code, which nobody was sent. One that was asked for and not made yet is
	// made for nobody, since its user is disabled.
	wrong := make([]byte, 32)
	rand.Read(wrong)
	if _, err := v.tx.exec(ctx, "void codes of "+user, `
		UPDATE mailed_codes SET mac = $4 WHERE tenant_id = $1 AND journey_id IN (SELECT j.id FROM journeys j
			WHERE j.tenant_id = $1 AND j.user_id = $2 AND j.ended_at IS NULL AND j.expires_at > $3)`,
		tenant, user, at(v.tx.now()), wrong); err != nil {
		return nil, err
	}
	_, err = v.tx.exec(ctx, "make decoys of "+user, `
		UPDATE journeys SET stand_in = user_id, user_id = NULL, decoy = 1, known_browser = 0, push_id = ''
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`, tenant, user, at(v.tx.now()))
	return ended, err
}

// RevokePassword makes a user's open journeys ask for the password again, because the
// password was changed. Those that are about to set a new password begin again too.
// Not included is the journey except, in which the password was changed.
func (v Journeys) RevokePassword(ctx context.Context, tenant, user, except string) error {
	journeys, err := Collect(list(ctx, v.tx.Reader, "take back the password of "+user, scanID, `
		UPDATE journeys SET version = version + 1, reset = ''
		WHERE tenant_id = $1 AND user_id = $2 AND id <> $4 AND ended_at IS NULL AND expires_at > $3 AND `+provedJourney+`
		RETURNING id`, tenant, user, at(v.tx.now()), except))
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

// RevokeFactor revokes, in a user's open journeys, what a revoked authenticator had
// proved, and increments their versions, so that no step that was decided before
// applies.
func (v Journeys) RevokeFactor(ctx context.Context, tenant, user, authenticator string) error {
	journeys, err := Collect(list(ctx, v.tx.Reader, "journeys with "+authenticator, scanID, `
		UPDATE journeys SET version = version + 1
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $4
			AND EXISTS (SELECT 1 FROM journey_passed p WHERE p.tenant_id = $1 AND p.journey_id = journeys.id
				AND p.authenticator_id = $3 AND p.revoked_at IS NULL)
		RETURNING id`, tenant, user, authenticator, at(v.tx.now())))
	if err != nil {
		return err
	}
	for _, journey := range journeys {
		v.tx.Notify(JourneyTopic(journey))
		if _, err := v.tx.exec(ctx, "take back from "+journey, `
			UPDATE journey_passed SET revoked_at = $4
			WHERE tenant_id = $1 AND journey_id = $2 AND authenticator_id = $3 AND revoked_at IS NULL`,
			tenant, journey, authenticator, at(v.tx.now())); err != nil {
			return err
		}
	}
	return nil
}

// revokeSession revokes, in the open journeys of a session's user and browser, what
// was passed before they began, and increments their versions, so that no step that
// was decided before applies.
func (v Journeys) revokeSession(ctx context.Context, tenant, session string) error {
	journeys, err := Collect(list(ctx, v.tx.Reader, "journeys of session", scanID, `
		UPDATE journeys SET version = version + 1
		WHERE tenant_id = $1 AND ended_at IS NULL AND expires_at > $3
			AND (user_id, browser) = (SELECT s.user_id, s.browser FROM sessions s WHERE s.tenant_id = $1 AND s.id = $2)
			AND EXISTS (SELECT 1 FROM journey_passed p WHERE p.tenant_id = $1 AND p.journey_id = journeys.id
				AND p.revoked_at IS NULL AND p.passed_at <= journeys.started_at)
		RETURNING id`, tenant, session, at(v.tx.now())))
	if err != nil {
		return err
	}
	for _, journey := range journeys {
		v.tx.Notify(JourneyTopic(journey))
		_, err := v.tx.exec(ctx, "take back from "+journey, `
			UPDATE journey_passed SET revoked_at = $3
			WHERE tenant_id = $1 AND journey_id = $2 AND revoked_at IS NULL
				AND passed_at <= (SELECT j.started_at FROM journeys j WHERE j.tenant_id = $1 AND j.id = $2)`, tenant, journey, at(v.tx.now()))
		if err != nil {
			return err
		}
	}
	return nil
}

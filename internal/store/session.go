package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Hash is how secrets of 128 random bits or more are stored: SHA-256, hex.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

const sessionColumns = `tenant_id, id, user_id, browser, auth_time, created_at, seen_at, idle, expires_at, ended_at, agent, ip`

func scanSession(row scanner) (s identity.Session, err error) {
	var idle int64
	err = row.Scan(&s.Tenant, &s.ID, &s.UserID, &s.Browser, moment{&s.AuthTime}, moment{&s.CreatedAt},
		moment{&s.SeenAt}, &idle, moment{&s.ExpiresAt}, moment{&s.EndedAt}, &s.Agent, &s.IP)
	s.Idle = time.Duration(idle) * time.Second
	return s, err
}

// Session returns the live session a browser's secret opens, with what was
// passed in it: not ended, not past its absolute end, not left idle, of
// this browser, and of a user who is enabled. Anything else is Unauthenticated.
func (r reader) Session(ctx context.Context, tenant, secret, browser string) (identity.Session, error) {
	now := r.now()
	s, err := scanSession(r.q.QueryRowContext(ctx, `
		SELECT `+sessionColumns+` FROM sessions s
		WHERE tenant_id = $1 AND secret_hash = $2 AND browser = $3 AND ended_at IS NULL AND expires_at > $4 AND seen_at + idle > $4
			AND EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = s.tenant_id AND u.id = s.user_id AND u.disabled_at IS NULL)`,
		tenant, Hash(secret), browser, now.Unix()))
	if err != nil {
		return s, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated", Err: missing("session", err)}
	}
	s.Passed, err = r.passedIn(ctx, tenant, s.ID)
	return s, err
}

// SessionByID returns a session whether it has ended or not.
func (r reader) SessionByID(ctx context.Context, tenant, id string) (identity.Session, error) {
	s, err := scanSession(r.q.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return s, missing("session "+id, err)
	}
	s.Passed, err = r.passedIn(ctx, tenant, id)
	return s, err
}

// SessionsOf yields a user's live sessions, the one seen last first, without what
// was passed in them.
func (r reader) SessionsOf(ctx context.Context, tenant, user string) iter.Seq2[identity.Session, error] {
	return list(ctx, r, "sessions of "+user, scanSession, `
		SELECT `+sessionColumns+` FROM sessions
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 AND seen_at + idle > $3
		ORDER BY seen_at DESC, id`, tenant, user, at(r.now()))
}

func (r reader) passedIn(ctx context.Context, tenant, session string) ([]identity.Passed, error) {
	return Collect(list(ctx, r, "session validations", scanPassed, `
		SELECT validation, method, authenticator_id, passed_at FROM session_validations
		WHERE tenant_id = $1 AND session_id = $2 ORDER BY passed_at`, tenant, session))
}

// KeepSession writes a session under a new secret: a new row, or, where the
// same person proved more, the same row with the old secret dead. The
// applications logged in to stay with it.
func (tx *Tx) KeepSession(ctx context.Context, s identity.Session, secret string) error {
	_, err := tx.exec(ctx, "keep session", `
		INSERT INTO sessions (tenant_id, id, secret_hash, user_id, browser, auth_time, created_at, seen_at, idle, expires_at, agent, ip)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, id) DO UPDATE SET secret_hash = excluded.secret_hash, auth_time = excluded.auth_time,
			seen_at = excluded.seen_at, idle = excluded.idle, expires_at = excluded.expires_at, agent = excluded.agent, ip = excluded.ip`,
		s.Tenant, s.ID, Hash(secret), s.UserID, s.Browser, at(s.AuthTime), at(tx.now()), int64(s.Idle/time.Second), at(s.ExpiresAt), s.Agent, s.IP)
	if err != nil {
		return err
	}
	for _, p := range s.Passed {
		if _, err := tx.exec(ctx, "session validation", `
			INSERT INTO session_validations (tenant_id, session_id, validation, method, authenticator_id, passed_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant_id, session_id, validation) DO UPDATE SET method = excluded.method,
				authenticator_id = excluded.authenticator_id, passed_at = excluded.passed_at`,
			s.Tenant, s.ID, string(p.Validation), string(p.Method), p.Authenticator, at(p.At)); err != nil {
			return err
		}
	}
	return nil
}

// SeenSession moves a session's idle end. It writes at most once a minute, so
// that reading pages does not become writing.
func (tx *Tx) SeenSession(ctx context.Context, s identity.Session) error {
	now := tx.now()
	if !s.Stale(now) {
		return nil
	}
	_, err := tx.exec(ctx, "seen session", `UPDATE sessions SET seen_at = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL`, s.Tenant, s.ID, at(now))
	return err
}

// EndSession ends a session and its applications; ending one twice is no error.
// What the browser's unfinished journeys took over from it goes too, or a page
// left open would outlive the signing out.
func (tx *Tx) EndSession(ctx context.Context, tenant, id string) error {
	now := at(tx.now())
	if err := tx.takeBackFrom(ctx, tenant, id); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "end session", `
		UPDATE sessions SET ended_at = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL`, tenant, id, now); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "end session", `
		UPDATE session_applications SET ended_at = $3 WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL`, tenant, id, now)
	return err
}

// takeBackFrom revokes, in the unfinished journeys of a session's user and
// browser, what was passed before they began, and raises their versions, so
// that no step decided before applies.
func (tx *Tx) takeBackFrom(ctx context.Context, tenant, session string) error {
	journeys, err := Collect(list(ctx, tx.reader, "journeys of session", func(row scanner) (id string, err error) { return id, row.Scan(&id) }, `
		UPDATE journeys SET version = version + 1
		WHERE tenant_id = $1 AND ended_at IS NULL AND expires_at > $3
			AND (user_id, browser) = (SELECT s.user_id, s.browser FROM sessions s WHERE s.tenant_id = $1 AND s.id = $2)
			AND EXISTS (SELECT 1 FROM journey_passed p WHERE p.tenant_id = $1 AND p.journey_id = journeys.id
				AND p.revoked_at IS NULL AND p.passed_at <= journeys.started_at)
		RETURNING id`, tenant, session, at(tx.now())))
	if err != nil {
		return err
	}
	for _, journey := range journeys {
		tx.Wake(JourneyTopic(journey))
		_, err := tx.exec(ctx, "take back from "+journey, `
			UPDATE journey_passed SET revoked_at = $3
			WHERE tenant_id = $1 AND journey_id = $2 AND revoked_at IS NULL
				AND passed_at <= (SELECT j.started_at FROM journeys j WHERE j.tenant_id = $1 AND j.id = $2)`, tenant, journey, at(tx.now()))
		if err != nil {
			return err
		}
	}
	return nil
}

// TakeBackFactor revokes, in a user's unfinished journeys, what an authenticator
// proved that is revoked now, and raises their versions, so that no step decided
// before applies.
func (tx *Tx) TakeBackFactor(ctx context.Context, tenant, user, authenticator string) error {
	journeys, err := Collect(list(ctx, tx.reader, "journeys with "+authenticator, scanID, `
		UPDATE journeys SET version = version + 1
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $4
			AND EXISTS (SELECT 1 FROM journey_passed p WHERE p.tenant_id = $1 AND p.journey_id = journeys.id
				AND p.authenticator_id = $3 AND p.revoked_at IS NULL)
		RETURNING id`, tenant, user, authenticator, at(tx.now())))
	if err != nil {
		return err
	}
	for _, journey := range journeys {
		tx.Wake(JourneyTopic(journey))
		if _, err := tx.exec(ctx, "take back from "+journey, `
			UPDATE journey_passed SET revoked_at = $4
			WHERE tenant_id = $1 AND journey_id = $2 AND authenticator_id = $3 AND revoked_at IS NULL`,
			tenant, journey, authenticator, at(tx.now())); err != nil {
			return err
		}
	}
	return nil
}

// EndSessionsOf ends every live session of a user, and reports how many there were.
func (tx *Tx) EndSessionsOf(ctx context.Context, tenant, user string) (int64, error) {
	ids, err := Collect(list(ctx, tx.reader, "sessions of "+user, scanID, `
		SELECT id FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`, tenant, user, at(tx.now())))
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := tx.EndSession(ctx, tenant, id); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

// JoinSession notes that a session logged in to an application, and returns
// the row: the first one's index and subject stay while the session lives.
func (tx *Tx) JoinSession(ctx context.Context, tenant string, a identity.SessionApplication) (identity.SessionApplication, error) {
	err := tx.sql.QueryRowContext(ctx, `
		INSERT INTO session_applications (tenant_id, session_id, application_id, protocol, session_index, subject, started_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, session_id, application_id) DO UPDATE SET subject = excluded.subject, ended_at = NULL
		RETURNING session_index, started_at`,
		tenant, a.Session, a.Application, string(a.Protocol), a.Index, a.Subject, at(tx.now())).Scan(&a.Index, moment{&a.StartedAt})
	if err != nil {
		return a, missing("join session", err)
	}
	return a, nil
}

// SessionApplications yields what a session is logged in to.
func (r reader) SessionApplications(ctx context.Context, tenant, session string) iter.Seq2[identity.SessionApplication, error] {
	return list(ctx, r, "session applications", func(row scanner) (a identity.SessionApplication, err error) {
		return a, row.Scan(&a.Session, &a.Application, &a.Protocol, &a.Index, &a.Subject, moment{&a.StartedAt}, moment{&a.EndedAt})
	}, `
		SELECT session_id, application_id, protocol, session_index, subject, started_at, ended_at
		FROM session_applications WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL ORDER BY started_at`, tenant, session)
}

func scanPassed(row scanner) (p identity.Passed, err error) {
	return p, row.Scan(&p.Validation, &p.Method, &p.Authenticator, moment{&p.At})
}

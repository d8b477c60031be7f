package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Hash returns how secrets of 128 random bits or more are stored: their SHA-256 in
// hexadecimal.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

const sessionColumns = `tenant_id, id, user_id, browser, auth_time, created_at, seen_at, idle, expires_at, ended_at, agent, ip`

func scanSession(row scanner) (s identity.Session, err error) {
	var idle int64
	err = row.Scan(&s.Tenant, &s.ID, &s.UserID, &s.Browser, nullTime{&s.AuthTime}, nullTime{&s.CreatedAt},
		nullTime{&s.SeenAt}, &idle, nullTime{&s.ExpiresAt}, nullTime{&s.EndedAt}, &s.Agent, &s.IP)
	s.Idle = time.Duration(idle) * time.Second
	return s, err
}

// Sessions reads and writes sign-in sessions.
type Sessions struct {
	SessionReads
	tx *Tx
}

// Sessions returns the view; what it writes is part of the transaction.
func (tx *Tx) Sessions() Sessions { return Sessions{tx.Reader.Sessions(), tx} }

// SessionReads are the reads of [Sessions].
type SessionReads struct{ r Reader }

// Sessions returns the view for reading.
func (r Reader) Sessions() SessionReads { return SessionReads{r} }

// BySecret returns the live session of a browser's secret, with what was passed in
// it. Live is a session that has not ended, is before its absolute end, was not idle
// for too long, and is of this browser and of an enabled user. For all others
// BySecret returns an Unauthenticated.
func (v SessionReads) BySecret(ctx context.Context, tenant, secret, browser string) (identity.Session, error) {
	now := v.r.now()
	s, err := scanSession(v.r.q.QueryRowContext(ctx, `
		SELECT `+sessionColumns+` FROM sessions s
		WHERE tenant_id = $1 AND secret_hash = $2 AND browser = $3 AND ended_at IS NULL AND expires_at > $4 AND seen_at + idle > $4
			AND EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = s.tenant_id AND u.id = s.user_id AND u.disabled_at IS NULL)`,
		tenant, Hash(secret), browser, now.Unix()))
	if err != nil {
		return s, &identity.Error{Kind: identity.Unauthenticated, Key: "error.unauthenticated", Err: notFound("session", err)}
	}
	s.Passed, err = v.validations(ctx, tenant, s.ID)
	return s, err
}

// OfUser yields a user's live sessions, without what was passed in them. The one used
// last comes first.
func (v SessionReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[identity.Session, error] {
	return list(ctx, v.r, "sessions of "+user, scanSession, `
		SELECT `+sessionColumns+` FROM sessions
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 AND seen_at + idle > $3
		ORDER BY seen_at DESC, id`, tenant, user, at(v.r.now()))
}

func (v SessionReads) validations(ctx context.Context, tenant, session string) ([]identity.CompletedFactor, error) {
	return Collect(list(ctx, v.r, "session validations", scanPassed, `
		SELECT validation, method, authenticator_id, passed_at FROM session_validations
		WHERE tenant_id = $1 AND session_id = $2 ORDER BY passed_at`, tenant, session))
}

// Save writes a session under a new secret. It inserts a row, or, if the same person
// has proved more, updates the row, so that the old secret no longer works. The
// applications of the session stay.
func (v Sessions) Save(ctx context.Context, s identity.Session, secret string) error {
	_, err := v.tx.exec(ctx, "keep session", `
		INSERT INTO sessions (tenant_id, id, secret_hash, user_id, browser, auth_time, created_at, seen_at, idle, expires_at, agent, ip)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, id) DO UPDATE SET secret_hash = excluded.secret_hash, auth_time = excluded.auth_time,
			seen_at = excluded.seen_at, idle = excluded.idle, expires_at = excluded.expires_at, agent = excluded.agent, ip = excluded.ip`,
		s.Tenant, s.ID, Hash(secret), s.UserID, s.Browser, at(s.AuthTime), at(v.tx.now()), int64(s.Idle/time.Second), at(s.ExpiresAt), s.Agent, s.IP)
	if err != nil {
		return err
	}
	for _, p := range s.Passed {
		if _, err := v.tx.exec(ctx, "session validation", `
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

// Touch moves the idle end of a session. It writes at most once a minute, so that
// reading pages does not become writing.
func (v Sessions) Touch(ctx context.Context, s identity.Session) error {
	now := v.tx.now()
	if !s.Stale(now) {
		return nil
	}
	_, err := v.tx.exec(ctx, "seen session", `UPDATE sessions SET seen_at = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL`, s.Tenant, s.ID, at(now))
	return err
}

// End ends a session and its applications; ending one twice is no error. What the
// browser's open journeys had taken over from the session is revoked too, or a page
// that was left open would survive signing out.
func (v Sessions) End(ctx context.Context, tenant, id string) error {
	now := at(v.tx.now())
	if err := v.tx.Journeys().revokeSession(ctx, tenant, id); err != nil {
		return err
	}
	if _, err := v.tx.exec(ctx, "end session", `
		UPDATE sessions SET ended_at = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL`, tenant, id, now); err != nil {
		return err
	}
	_, err := v.tx.exec(ctx, "end session", `
		UPDATE session_applications SET ended_at = $3 WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL`, tenant, id, now)
	return err
}

// EndAll ends all live sessions of a user and returns how many there were.
func (v Sessions) EndAll(ctx context.Context, tenant, user string) (int64, error) {
	ids, err := Collect(list(ctx, v.tx.Reader, "sessions of "+user, scanID, `
		SELECT id FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`, tenant, user, at(v.tx.now())))
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := v.End(ctx, tenant, id); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

// Join records that a session was used to sign in to an application, and returns the
// row. The session index of the first time stays while the session lives.
func (v Sessions) Join(ctx context.Context, tenant string, a identity.SessionApplication) (identity.SessionApplication, error) {
	err := v.tx.q.QueryRowContext(ctx, `
		INSERT INTO session_applications (tenant_id, session_id, application_id, protocol, session_index, subject, started_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, session_id, application_id) DO UPDATE SET subject = excluded.subject, ended_at = NULL
		RETURNING session_index, started_at`,
		tenant, a.Session, a.Application, string(a.Protocol), a.Index, a.Subject, at(v.tx.now())).Scan(&a.Index, nullTime{&a.StartedAt})
	if err != nil {
		return a, notFound("join session", err)
	}
	return a, nil
}

// Applications yields the applications that a session is signed in to.
func (v SessionReads) Applications(ctx context.Context, tenant, session string) iter.Seq2[identity.SessionApplication, error] {
	return list(ctx, v.r, "session applications", func(row scanner) (a identity.SessionApplication, err error) {
		return a, row.Scan(&a.Session, &a.Application, &a.Protocol, &a.Index, &a.Subject, nullTime{&a.StartedAt}, nullTime{&a.EndedAt})
	}, `
		SELECT session_id, application_id, protocol, session_index, subject, started_at, ended_at
		FROM session_applications WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL ORDER BY started_at`, tenant, session)
}

func scanPassed(row scanner) (p identity.CompletedFactor, err error) {
	return p, row.Scan(&p.Validation, &p.Method, &p.Authenticator, nullTime{&p.At})
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A Challenge is what a page of a journey shows to be answered by an authenticator
// (CRED-3). The zero value is none.
type Challenge struct {
	Digits    string
	ExpiresAt time.Time
}

func challengePlace(tenant, journey string) Place {
	return Place{Tenant: tenant, Table: "challenges", Column: "sealed", Row: journey}
}

// Challenges reads and writes the challenges that pages of journeys show (CRED-3).
type Challenges struct {
	ChallengeReads
	tx *Tx
}

// Challenges returns the view; what it writes is part of the transaction.
func (tx *Tx) Challenges() Challenges { return Challenges{tx.Reader.Challenges(), tx} }

// ChallengeReads are the reads of [Challenges].
type ChallengeReads struct{ r Reader }

// Challenges returns the view for reading.
func (r Reader) Challenges() ChallengeReads { return ChallengeReads{r} }

// Get returns the challenge on the page of a journey; the zero value if there is
// none, or if it has expired.
func (v ChallengeReads) Get(ctx context.Context, tenant, journey string) (c Challenge, err error) {
	var sealed []byte
	err = v.r.q.QueryRowContext(ctx, `
		SELECT sealed, expires_at FROM challenges WHERE tenant_id = $1 AND journey_id = $2 AND expires_at > $3`,
		tenant, journey, at(v.r.now())).Scan(&sealed, nullTime{&c.ExpiresAt})
	if errors.Is(err, sql.ErrNoRows) {
		return Challenge{}, nil
	}
	if err != nil {
		return Challenge{}, notFound("challenge of "+journey, err)
	}
	digits, err := v.r.Unseal(ctx, challengePlace(tenant, journey), sealed)
	c.Digits = string(digits)
	return c, err
}

// Set stores the challenge of a journey in place of an earlier one.
func (v Challenges) Set(ctx context.Context, tenant, journey string, c Challenge) error {
	sealed, err := v.tx.Seal(ctx, challengePlace(tenant, journey), []byte(c.Digits))
	if err != nil {
		return err
	}
	_, err = v.tx.exec(ctx, "challenge of "+journey, `
		INSERT INTO challenges (tenant_id, journey_id, sealed, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, journey_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at`,
		tenant, journey, sealed, at(c.ExpiresAt))
	return err
}

// Take deletes the challenge of a journey and returns it, for the one response that
// may be given; empty if there is none, or if it has expired. The condition is part
// of the DELETE: of several responses to one challenge, on any node, one is checked.
func (v Challenges) Take(ctx context.Context, tenant, journey string) (digits string, err error) {
	var sealed []byte
	err = v.tx.q.QueryRowContext(ctx, `
		DELETE FROM challenges WHERE tenant_id = $1 AND journey_id = $2 AND expires_at > $3 RETURNING sealed`,
		tenant, journey, at(v.tx.now())).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", notFound("challenge of "+journey, err)
	}
	opened, err := v.tx.Unseal(ctx, challengePlace(tenant, journey), sealed)
	return string(opened), err
}

// InUse reports whether any authenticator of a tenant answers challenges.
func (v ChallengeReads) InUse(ctx context.Context, tenant string) (some bool, err error) {
	var n int64
	err = v.r.q.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM (SELECT 1 FROM authenticators WHERE tenant_id = $1 AND suite <> '' AND revoked_at IS NULL LIMIT 1) AS one`,
		tenant).Scan(&n)
	if err != nil {
		return false, notFound("authenticators that answer challenges", err)
	}
	return n > 0, nil
}

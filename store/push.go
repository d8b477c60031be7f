package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A PushRequest is a row of push_requests.
type PushRequest struct {
	Tenant        string
	ID            string
	User          string
	Journey       string
	Browser       string
	Application   string // name, as shown on the phone
	Name          string // user name as typed
	IP            string
	Place         string
	Presence      string
	Number        string // in clear when written; read by PushNumber alone
	Nonce         string
	LoginAt       time.Time
	CreatedAt     time.Time
	ExpiresAt     time.Time
	EndedAt       time.Time
	Outcome       string
	Authenticator string
	ClaimedAt     time.Time
}

const pushColumns = `tenant_id, id, user_id, journey_id, browser, application, name, ip, place, presence, nonce,
	login_at, created_at, expires_at, ended_at, outcome, authenticator_id, claimed_at`

func scanPush(row scanner) (p PushRequest, err error) {
	return p, row.Scan(&p.Tenant, &p.ID, &p.User, &p.Journey, &p.Browser, &p.Application, &p.Name, &p.IP, &p.Place, &p.Presence,
		&p.Nonce, moment{&p.LoginAt}, moment{&p.CreatedAt}, moment{&p.ExpiresAt}, moment{&p.EndedAt}, &p.Outcome, &p.Authenticator, moment{&p.ClaimedAt})
}

func numberPlace(tenant, id string) Place {
	return Place{Tenant: tenant, Table: "push_requests", Column: "number", Row: id}
}

// PushRequest returns a push request by id.
func (r reader) PushRequest(ctx context.Context, tenant, id string) (PushRequest, error) {
	p, err := scanPush(r.q.QueryRowContext(ctx, `SELECT `+pushColumns+` FROM push_requests WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return p, missing("push request "+id, err)
	}
	return p, nil
}

// UnfinishedPush returns the request of a user that nobody has ended, and false
// if there is none. It may have expired.
func (r reader) UnfinishedPush(ctx context.Context, tenant, user string) (PushRequest, bool, error) {
	p, err := scanPush(r.q.QueryRowContext(ctx, `
		SELECT `+pushColumns+` FROM push_requests WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL`, tenant, user))
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, missing("unfinished push", err)
	}
	return p, true, nil
}

// LastPush returns when a user's latest request was sent; zero when none was.
func (r reader) LastPush(ctx context.Context, tenant, user string) (time.Time, error) {
	var last time.Time
	err := r.q.QueryRowContext(ctx, `
		SELECT created_at FROM push_requests WHERE tenant_id = $1 AND user_id = $2
		ORDER BY created_at DESC LIMIT 1`, tenant, user).Scan(moment{&last})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return last, missing("last push", err)
	}
	return last, nil
}

// PushNumber opens the number of a request's presence check; empty when it has
// none.
func (r reader) PushNumber(ctx context.Context, tenant, id string) (string, error) {
	var sealed []byte
	err := r.q.QueryRowContext(ctx, `SELECT number FROM push_requests WHERE tenant_id = $1 AND id = $2`, tenant, id).Scan(&sealed)
	if err != nil {
		return "", missing("number of "+id, err)
	}
	if sealed == nil {
		return "", nil
	}
	number, err := r.Unseal(ctx, numberPlace(tenant, id), sealed)
	return string(number), err
}

// AddPush adds a request, its number sealed, and reports false if the user has
// an unfinished one.
func (tx *Tx) AddPush(ctx context.Context, p PushRequest) (bool, error) {
	var sealed []byte
	if p.Number != "" {
		var err error
		if sealed, err = tx.Seal(ctx, numberPlace(p.Tenant, p.ID), []byte(p.Number)); err != nil {
			return false, err
		}
	}
	n, err := tx.exec(ctx, "add push request", `
		INSERT INTO push_requests (tenant_id, id, user_id, journey_id, browser, application, name, ip, place, presence,
			number, nonce, login_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`,
		p.Tenant, p.ID, p.User, p.Journey, p.Browser, p.Application, p.Name, p.IP, p.Place, p.Presence,
		sealed, p.Nonce, at(p.LoginAt), at(p.CreatedAt), at(p.ExpiresAt))
	return n == 1, err
}

// EndPush ends an open, unexpired request and reports whether this call did:
// of all that try, one does. The sealed number goes with it.
func (tx *Tx) EndPush(ctx context.Context, tenant, id, outcome, authenticator string) (bool, error) {
	n, err := tx.exec(ctx, "end push request", `
		UPDATE push_requests SET ended_at = $3, outcome = $4, authenticator_id = $5, number = NULL
		WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > $3`, tenant, id, at(tx.now()), outcome, authenticator)
	return n == 1, err
}

// ExpirePush writes down that a user's request has expired.
func (tx *Tx) ExpirePush(ctx context.Context, tenant, user, outcome string) error {
	_, err := tx.exec(ctx, "expire push request", `
		UPDATE push_requests SET ended_at = expires_at, outcome = $4, number = NULL
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at <= $3`, tenant, user, at(tx.now()), outcome)
	return err
}

// ClaimPush takes an approval for the journey that asked, if it was given since
// a time and nobody has claimed it, and reports whether this call did.
func (tx *Tx) ClaimPush(ctx context.Context, tenant, id, journey, outcome string, since time.Time) (bool, error) {
	n, err := tx.exec(ctx, "claim push request", `
		UPDATE push_requests SET claimed_at = $6
		WHERE tenant_id = $1 AND id = $2 AND journey_id = $3 AND outcome = $4 AND ended_at >= $5 AND claimed_at IS NULL`,
		tenant, id, journey, outcome, at(since), at(tx.now()))
	return n == 1, err
}

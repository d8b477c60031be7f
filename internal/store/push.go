package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// A PushOutcome is how a push request ended (PUSH-26), in the words of the
// authenticator apps' API.
type PushOutcome string

const (
	PushApproved    PushOutcome = "approved"
	PushNotMe       PushOutcome = "denied-not-me"
	PushMistake     PushOutcome = "denied-mistake"
	PushWrongNumber PushOutcome = "wrong-number"
	PushExpired     PushOutcome = "expired"
	PushSuperseded  PushOutcome = "superseded"
	PushCancelled   PushOutcome = "cancelled"
	PushResync      PushOutcome = "resync-required"

	// PushNoLonger is what the browser is told of an approval that could no longer be
	// claimed, because the user was disabled since, or the authenticator lost. No row
	// and no app has it.
	PushNoLonger PushOutcome = "no-longer-allowed"

	// PushUnreachable is what the browser is told of an open request that no app can
	// answer any more: it is too old for the check, or was switched off or revoked. No
	// row and no app has it.
	PushUnreachable PushOutcome = "unreachable"
)

// A PushRequest is a push request of a journey. The row can be behind the clock;
// package push says in which state a request is.
type PushRequest struct {
	Tenant        string
	ID            string
	User          string
	Journey       string
	ApplicationID string // of the journey
	Browser       string
	Application   string // its name on the phone
	Name          string // user name as typed
	IP            string
	Place         string // of the address; empty where none is known
	Agent         string // what the browser calls itself: "Firefox, Linux"
	Presence      policy.Presence
	Number        string   // only for writing; see PushReads.Number
	Options       []string // only for writing; see PushReads.Options
	Nonce         string
	Anonymous     bool // asked for by somebody who had proved nothing, in an unknown browser
	LoginAt       time.Time
	CreatedAt     time.Time
	ExpiresAt     time.Time
	EndedAt       time.Time
	Outcome       PushOutcome
	Authenticator string // that answered
	ClaimedAt     time.Time
	RefusedAt     time.Time // when the approval could no longer be claimed
	Resync        Passcode  // with PushResync
}

const pushColumns = `p.tenant_id, p.id, p.user_id, p.journey_id, j.application_id, p.browser, p.application, p.name, p.ip, p.place,
	j.fingerprint, p.presence, p.nonce, p.anonymous, p.login_at, p.created_at, p.expires_at, p.ended_at, p.outcome, p.authenticator_id, p.claimed_at,
	p.refused_at, COALESCE(p.resync_step, 0), COALESCE(p.resync_drift, 0)`

const pushTables = ` FROM push_requests p JOIN journeys j ON j.tenant_id = p.tenant_id AND j.id = p.journey_id `

func scanPush(row scanner) (p PushRequest, err error) {
	var anonymous int64
	err = row.Scan(&p.Tenant, &p.ID, &p.User, &p.Journey, &p.ApplicationID, &p.Browser, &p.Application, &p.Name, &p.IP, &p.Place,
		&p.Agent, &p.Presence, &p.Nonce, &anonymous, nullTime{&p.LoginAt}, nullTime{&p.CreatedAt}, nullTime{&p.ExpiresAt}, nullTime{&p.EndedAt},
		&p.Outcome, &p.Authenticator, nullTime{&p.ClaimedAt}, nullTime{&p.RefusedAt},
		&p.Resync.Step, &p.Resync.Drift)
	p.Anonymous = anonymous != 0
	return p, err
}

func pushPlace(tenant, id, column string) Place {
	return Place{Tenant: tenant, Table: "push_requests", Column: column, Row: id}
}

// Push reads and writes push requests.
type Push struct {
	PushReads
	tx *Tx
}

// Push returns the view; what it writes is part of the transaction.
func (tx *Tx) Push() Push { return Push{tx.Reader.Push(), tx} }

// PushReads are the reads of [Push].
type PushReads struct{ r Reader }

// Push returns the view for reading.
func (r Reader) Push() PushReads { return PushReads{r} }

// Get returns a push request by id.
func (v PushReads) Get(ctx context.Context, tenant, id string) (PushRequest, error) {
	p, err := scanPush(v.r.q.QueryRowContext(ctx, `SELECT `+pushColumns+pushTables+` WHERE p.tenant_id = $1 AND p.id = $2`, tenant, id))
	if err != nil {
		return p, notFound("push request "+id, err)
	}
	return p, nil
}

// Open returns the push request of a user that can still be answered. If there is
// none, it returns a NotFound.
func (v PushReads) Open(ctx context.Context, tenant, user string) (PushRequest, error) {
	p, err := scanPush(v.r.q.QueryRowContext(ctx, `SELECT `+pushColumns+pushTables+`
		WHERE p.tenant_id = $1 AND p.user_id = $2 AND p.ended_at IS NULL AND p.expires_at > $3`, tenant, user, at(v.r.now())))
	if err != nil {
		return p, notFound("open push request of "+user, err)
	}
	return p, nil
}

// Number decrypts the number of a request. It is empty if the request has none, or
// has ended.
func (v PushReads) Number(ctx context.Context, tenant, id string) (string, error) {
	number, err := v.secret(ctx, tenant, id, "number")
	return string(number), err
}

// Options decrypts the numbers that the phone offers, in order. It returns nil if the
// request has none, or has ended.
func (v PushReads) Options(ctx context.Context, tenant, id string) (options []string, err error) {
	list, err := v.secret(ctx, tenant, id, "options")
	if err != nil || list == nil {
		return nil, err
	}
	if err := json.Unmarshal(list, &options); err != nil {
		return nil, fmt.Errorf("store: options of %s: %w", id, err)
	}
	return options, nil
}

// secret decrypts a sealed column of a request. It returns nil if the column is
// empty.
func (v PushReads) secret(ctx context.Context, tenant, id, column string) ([]byte, error) {
	var sealed []byte
	err := v.r.q.QueryRowContext(ctx, `SELECT `+column+` FROM push_requests WHERE tenant_id = $1 AND id = $2`, tenant, id).Scan(&sealed)
	if err != nil {
		return nil, notFound(column+" of "+id, err)
	}
	if sealed == nil {
		return nil, nil
	}
	return v.r.Unseal(ctx, pushPlace(tenant, id, column), sealed)
}

// CountOfJourney counts the push requests of a journey.
func (v PushReads) CountOfJourney(ctx context.Context, tenant, journey string) (int64, error) {
	var n int64
	err := v.r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM push_requests WHERE tenant_id = $1 AND journey_id = $2`, tenant, journey).Scan(&n)
	if err != nil {
		return 0, notFound("pushes of "+journey, err)
	}
	return n, nil
}

// LastAt returns when the newest push request of a user was made; zero if there is
// none.
func (v PushReads) LastAt(ctx context.Context, tenant, user string) (time.Time, error) {
	var last time.Time
	err := v.r.q.QueryRowContext(ctx, `SELECT MAX(created_at) FROM push_requests WHERE tenant_id = $1 AND user_id = $2`, tenant, user).Scan(nullTime{&last})
	if err != nil {
		return last, notFound("last push of "+user, err)
	}
	return last, nil
}

// Add adds a push request, with its number and options sealed. It reports false, and
// adds nothing, if the user has one that has not ended: a unique index decides,
// whatever two browsers do at the same moment (PUSH-10).
func (v Push) Add(ctx context.Context, p PushRequest) (bool, error) {
	var number, options []byte
	var err error
	if p.Number != "" {
		if number, err = v.tx.Seal(ctx, pushPlace(p.Tenant, p.ID, "number"), []byte(p.Number)); err != nil {
			return false, err
		}
	}
	if len(p.Options) > 0 {
		list, err := json.Marshal(p.Options)
		if err != nil {
			return false, fmt.Errorf("store: add push request: %w", err)
		}
		if options, err = v.tx.Seal(ctx, pushPlace(p.Tenant, p.ID, "options"), list); err != nil {
			return false, err
		}
	}
	n, err := v.tx.exec(ctx, "add push request", `
		INSERT INTO push_requests (tenant_id, id, user_id, journey_id, browser, application, name, ip, place, presence, number,
			nonce, login_at, created_at, expires_at, options, anonymous)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
		p.Tenant, p.ID, p.User, p.Journey, p.Browser, p.Application, p.Name, p.IP, p.Place, string(p.Presence), number,
		p.Nonce, at(p.LoginAt), at(p.CreatedAt), at(p.ExpiresAt), options, flag(p.Anonymous))
	return n == 1, err
}

// Replace ends the requests that prevent a new one: those that have expired, those
// from its browser made at a time or before, and, unless it is anonymous, those that
// are. It returns their journeys, whose pages wait.
func (v Push) Replace(ctx context.Context, p PushRequest, before time.Time) ([]string, error) {
	return Collect(list(ctx, v.tx.Reader, "replace push request", scanID, `
		UPDATE push_requests SET number = NULL, options = NULL,
			ended_at = CASE WHEN expires_at <= $4 THEN expires_at ELSE $4 END,
			outcome = CASE WHEN expires_at <= $4 THEN '`+string(PushExpired)+`' ELSE '`+string(PushSuperseded)+`' END
		WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL
			AND (expires_at <= $4 OR browser = $3 AND created_at <= $5 OR anonymous > $6)
		RETURNING journey_id`, p.Tenant, p.User, p.Browser, at(v.tx.now()), at(before), flag(p.Anonymous)))
}

// End ends an open, unexpired request, and reports whether this call did it: of
// several answers the first counts. The number is erased.
func (v Push) End(ctx context.Context, tenant, id string, outcome PushOutcome, authenticator string) (bool, error) {
	n, err := v.tx.exec(ctx, "end push request "+id, `
		UPDATE push_requests SET ended_at = $3, outcome = $4, authenticator_id = $5, number = NULL, options = NULL
		WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > $3`,
		tenant, id, at(v.tx.now()), string(outcome), authenticator)
	if n == 0 || err != nil {
		return false, err
	}
	return true, v.tx.Notifications().end(ctx, tenant, id, authenticator)
}

// SetResync stores which passcode came with an approval that ended in
// resync-required.
func (v Push) SetResync(ctx context.Context, tenant, id string, far Passcode) error {
	_, err := v.tx.exec(ctx, "keep passcode of "+id, `
		UPDATE push_requests SET resync_step = $3, resync_drift = $4 WHERE tenant_id = $1 AND id = $2`, tenant, id, far.Step, far.Drift)
	return err
}

// Claim claims the approved request of a journey, once, unless it was approved before
// since. It returns the authenticator that approved.
func (v Push) Claim(ctx context.Context, tenant, id, journey string, since time.Time) (authenticator string, ok bool, err error) {
	err = v.tx.q.QueryRowContext(ctx, `
		UPDATE push_requests SET claimed_at = $4
		WHERE tenant_id = $1 AND id = $2 AND journey_id = $3 AND outcome = $5 AND claimed_at IS NULL AND refused_at IS NULL AND ended_at >= $6
		RETURNING authenticator_id`, tenant, id, journey, at(v.tx.now()), string(PushApproved), at(since)).Scan(&authenticator)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, notFound("claim push request "+id, err)
	}
	return authenticator, true, nil
}

// RefuseClaim takes back a claim for good, because the approval may no longer count.
func (v Push) RefuseClaim(ctx context.Context, tenant, id string) error {
	_, err := v.tx.exec(ctx, "refuse push request "+id, `
		UPDATE push_requests SET claimed_at = NULL, refused_at = $3 WHERE tenant_id = $1 AND id = $2`, tenant, id, at(v.tx.now()))
	return err
}

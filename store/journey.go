package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/identity"
)

// journeyState are the columns a step may change, in the order of stateArgs.
var journeyState = []string{
	"language", "user_id", "name", "decoy", "known_browser", "refused", "policy_version", "method",
	"pushes", "push_id", "push_at", "notice", "enrol", "platform", "code_mac", "code_root", "code_sent_at",
	"code_expires_at", "code_tries", "code_sends", "code_passed_at", "expires_at", "ended_at", "outcome",
}

func stateArgs(j *identity.Journey) []any {
	var user any
	if j.UserID != "" {
		user = j.UserID
	}
	return []any{
		j.Language, user, j.Name, flag(j.Decoy), flag(j.KnownBrowser), j.Refused, j.Policy, string(j.Method),
		j.Pushes, j.PushID, at(j.PushAt), j.Notice, string(j.Enrol), string(j.Platform), j.Code.MAC, j.Code.Root, at(j.Code.SentAt),
		at(j.Code.ExpiresAt), j.Code.Tries, j.Code.Sends, at(j.Code.PassedAt), at(j.ExpiresAt), at(j.EndedAt), string(j.Outcome),
	}
}

// numbered returns $from … for n arguments, comma-separated.
func numbered(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

var insertJourney = `INSERT INTO journeys (tenant_id, id, version, application_id, protocol, request, browser,
	fingerprint, ip, fresh_after, acr, started_at, ` + strings.Join(journeyState, ", ") + `)
	VALUES (` + numbered(1, 12+len(journeyState)) + `)`

// AddJourney writes a new journey with what it requires and has passed so far.
func (tx *Tx) AddJourney(ctx context.Context, j *identity.Journey) error {
	acr, err := json.Marshal(append([]string{}, j.ACR...))
	if err != nil {
		return fmt.Errorf("store: add journey: %w", err)
	}
	j.Version = 1
	_, err = tx.exec(ctx, "add journey", insertJourney, append([]any{
		j.Tenant, j.ID, j.Version, j.Application, string(j.Protocol), string(j.Request), j.Browser,
		j.Fingerprint, j.IP, at(j.FreshAfter), string(acr), at(j.StartedAt),
	}, stateArgs(j)...)...)
	if err != nil {
		return err
	}
	return tx.recordValidations(ctx, j)
}

var stepJourney = `UPDATE journeys SET version = version + 1, (` + strings.Join(journeyState, ", ") + `) = (` +
	numbered(4, len(journeyState)) + `)
	WHERE tenant_id = $1 AND id = $2 AND version = $3 AND ended_at IS NULL`

// StepJourney writes one step of a journey, decided on the version j has, and
// raises that. If the journey has moved on meanwhile, or ended, nothing is
// written and a Conflict is reported: of two answers given to one page the
// second changes nothing.
func (tx *Tx) StepJourney(ctx context.Context, j *identity.Journey) error {
	n, err := tx.exec(ctx, "step journey", stepJourney, append([]any{j.Tenant, j.ID, j.Version}, stateArgs(j)...)...)
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: fmt.Errorf("journey %s is no longer at version %d", j.ID, j.Version)}
	}
	j.Version++
	tx.Wake(JourneyTopic(j.ID))
	return tx.recordValidations(ctx, j)
}

// validations are all a journey can require.
var validations = []identity.Validation{identity.Password, identity.OneTimePassword}

// recordValidations brings the rows in line with j: what is newly required or
// passed is inserted; what j no longer holds is revoked by time, not deleted.
func (tx *Tx) recordValidations(ctx context.Context, j *identity.Journey) error {
	for _, v := range validations {
		if place := slices.Index(j.Required, v); place >= 0 {
			if _, err := tx.exec(ctx, "require", `
				INSERT INTO journey_required (tenant_id, journey_id, validation, place) VALUES ($1, $2, $3, $4)
				ON CONFLICT DO NOTHING`, j.Tenant, j.ID, string(v), place); err != nil {
				return err
			}
		} else if err := tx.revokeValidation(ctx, "journey_required", j, v); err != nil {
			return err
		}
		passed := slices.IndexFunc(j.Passed, func(p identity.Passed) bool { return p.Validation == v })
		if passed < 0 {
			if err := tx.revokeValidation(ctx, "journey_passed", j, v); err != nil {
				return err
			}
			continue
		}
		p := j.Passed[passed]
		if _, err := tx.exec(ctx, "pass", `
			INSERT INTO journey_passed (tenant_id, journey_id, validation, method, authenticator_id, passed_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			j.Tenant, j.ID, string(p.Validation), string(p.Method), p.Authenticator, at(p.At)); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) revokeValidation(ctx context.Context, table string, j *identity.Journey, v identity.Validation) error {
	_, err := tx.exec(ctx, "revoke", `
		UPDATE `+table+` SET revoked_at = $4
		WHERE tenant_id = $1 AND journey_id = $2 AND validation = $3 AND revoked_at IS NULL`,
		j.Tenant, j.ID, string(v), at(tx.now()))
	return err
}

var selectJourney = `SELECT tenant_id, id, version, application_id, protocol, request, browser, fingerprint, ip,
	fresh_after, acr, started_at, ` + strings.Join(journeyState, ", ") + `
	FROM journeys WHERE tenant_id = $1 AND id = $2`

// Journey returns a journey with what it requires and has passed.
func (r reader) Journey(ctx context.Context, tenant, id string) (*identity.Journey, error) {
	j := &identity.Journey{}
	var user *string
	var acr string
	var decoy, known int64
	err := r.q.QueryRowContext(ctx, selectJourney, tenant, id).Scan(
		&j.Tenant, &j.ID, &j.Version, &j.Application, &j.Protocol, &j.Request, &j.Browser, &j.Fingerprint, &j.IP,
		moment{&j.FreshAfter}, &acr, moment{&j.StartedAt},
		&j.Language, &user, &j.Name, &decoy, &known, &j.Refused, &j.Policy, &j.Method,
		&j.Pushes, &j.PushID, moment{&j.PushAt}, &j.Notice, &j.Enrol, &j.Platform, &j.Code.MAC, &j.Code.Root, moment{&j.Code.SentAt},
		moment{&j.Code.ExpiresAt}, &j.Code.Tries, &j.Code.Sends, moment{&j.Code.PassedAt}, moment{&j.ExpiresAt}, moment{&j.EndedAt}, &j.Outcome)
	if err != nil {
		return nil, missing("journey "+id, err)
	}
	if user != nil {
		j.UserID = *user
	}
	j.Decoy, j.KnownBrowser = decoy != 0, known != 0
	if err := json.Unmarshal([]byte(acr), &j.ACR); err != nil {
		return nil, fmt.Errorf("store: journey %s: %w", id, err)
	}
	j.Required, err = Collect(list(ctx, r, "required", func(row scanner) (v identity.Validation, err error) {
		return v, row.Scan(&v)
	}, `SELECT validation FROM journey_required
		WHERE tenant_id = $1 AND journey_id = $2 AND revoked_at IS NULL ORDER BY place`, tenant, id))
	if err != nil {
		return nil, err
	}
	j.Passed, err = Collect(list(ctx, r, "passed", scanPassed, `
		SELECT validation, method, authenticator_id, passed_at FROM journey_passed
		WHERE tenant_id = $1 AND journey_id = $2 AND revoked_at IS NULL ORDER BY passed_at`, tenant, id))
	return j, err
}

func scanPassed(row scanner) (p identity.Passed, err error) {
	return p, row.Scan(&p.Validation, &p.Method, &p.Authenticator, moment{&p.At})
}

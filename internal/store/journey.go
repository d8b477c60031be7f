package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// journeyState are the columns that a step can change, in the order of stateArgs.
var journeyState = []string{
	"browser", "language", "user_id", "name", "decoy", "stand_in", "known_browser", "refused", "policy_version", "method",
	"pushes", "push_id", "push_at", "notice", "enrol", "platform", "code_sent_at",
	"code_expires_at", "code_tries", "code_sends", "code_passed_at", "steps", "resync_authenticator", "resync_step", "resync_drift",
	"resync_until", "resync_tries", "reset", "remember", "fresh_after", "started_at", "expires_at", "ended_at", "outcome",
}

func stateArgs(j *identity.Journey) []any {
	var user any
	if j.UserID != "" {
		user = j.UserID
	}
	steps := make([]string, len(j.Steps))
	for i, s := range j.Steps {
		steps[i] = string(s)
	}
	return []any{
		j.Browser, j.Language, user, j.Name, flag(j.Decoy), j.StandIn, flag(j.KnownBrowser), j.Refused, j.Policy, string(j.Method),
		j.Pushes, j.PushID, at(j.PushAt), j.Notice, string(j.Enroll), string(j.Platform), at(j.Code.SentAt),
		at(j.Code.ExpiresAt), j.Code.Tries, j.Code.Sends, at(j.Code.PassedAt), strings.Join(steps, " "), j.Resync.Authenticator, j.Resync.Step, j.Resync.Drift,
		at(j.Resync.Until), j.Resync.Tries, string(j.Reset), string(j.Remember), at(j.FreshAfter), at(j.StartedAt), at(j.ExpiresAt), at(j.EndedAt), string(j.Outcome),
	}
}

var insertJourney = `INSERT INTO journeys (tenant_id, id, version, application_id, protocol, request, binding,
	fingerprint, ip, acr, invitation_id, adding, ` + strings.Join(journeyState, ", ") + `)
	VALUES (` + numbered(1, 12+len(journeyState)) + `)`

// Journeys reads and writes journeys.
type Journeys struct {
	JourneyReads
	tx *Tx
}

// Journeys returns the view; what it writes is part of the transaction.
func (tx *Tx) Journeys() Journeys { return Journeys{tx.Reader.Journeys(), tx} }

// JourneyReads are the reads of [Journeys].
type JourneyReads struct{ r Reader }

// Journeys returns the view for reading.
func (r Reader) Journeys() JourneyReads { return JourneyReads{r} }

// Add writes a new journey with what it requires and has passed so far.
func (v Journeys) Add(ctx context.Context, j *identity.Journey) error {
	acr, err := json.Marshal(append([]string{}, j.ACR...))
	if err != nil {
		return fmt.Errorf("store: add journey: %w", err)
	}
	j.Version = 1
	_, err = v.tx.exec(ctx, "add journey", insertJourney, append([]any{
		j.Tenant, j.ID, j.Version, j.Application, string(j.Protocol), string(j.Request), j.Binding,
		j.Fingerprint, j.IP, string(acr), j.Invitation, flag(j.Adding),
	}, stateArgs(j)...)...)
	if err != nil {
		return err
	}
	return v.recordValidations(ctx, j)
}

var stepJourney = `UPDATE journeys SET version = version + 1, steps_taken = steps_taken || $` + strconv.Itoa(4+len(journeyState)) + `, (` + strings.Join(journeyState, ", ") + `) = (` +
	numbered(4, len(journeyState)) + `)
	WHERE tenant_id = $1 AND id = $2 AND version = $3 AND ended_at IS NULL`

// StepsTaken returns the record of a journey's steps, in their order.
func (v JourneyReads) StepsTaken(ctx context.Context, tenant, id string) ([]identity.TakenStep, error) {
	var lines string
	err := v.r.q.QueryRowContext(ctx, `SELECT steps_taken FROM journeys WHERE tenant_id = $1 AND id = $2`, tenant, id).Scan(&lines)
	if err != nil {
		return nil, notFound("journey "+id, err)
	}
	var steps []identity.TakenStep
	for d := json.NewDecoder(strings.NewReader(lines)); d.More(); {
		var step identity.TakenStep
		if err := d.Decode(&step); err != nil {
			return nil, fmt.Errorf("store: steps of %s: %w", id, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// Step writes one step of a journey that was decided on version j.Version, and
// increments the version. If the journey has another version by now, or has ended,
// nothing is written and Step returns a Conflict: of two answers to one page the
// second changes nothing. The record of
// the step goes into the same row.
func (v Journeys) Step(ctx context.Context, j *identity.Journey) error {
	taken, err := json.Marshal(j.Taken)
	if err != nil {
		return fmt.Errorf("store: step journey: %w", err)
	}
	args := append([]any{j.Tenant, j.ID, j.Version}, stateArgs(j)...)
	n, err := v.tx.exec(ctx, "step journey", stepJourney, append(args, string(taken)+"\n")...)
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Kind: identity.Conflict, Key: "error.journey.stale", Err: fmt.Errorf("journey %s is no longer at version %d", j.ID, j.Version)}
	}
	j.Version++
	v.tx.Notify(JourneyTopic(j.ID))
	return v.recordValidations(ctx, j)
}

// recordValidations writes the difference between the rows and j: it inserts what is
// newly required or passed, and revokes, by time, what j no longer has. What did not
// change since the rows were read needs no statement.
//
// What is required of others and not of this user is written too, as revoked: what
// naming a user writes is the same for every name (T-LOG-02).
func (v Journeys) recordValidations(ctx context.Context, j *identity.Journey) error {
	now := identity.Recorded{Required: slices.Clone(j.Required)}
	for place, needed := range slices.Concat(j.Required, j.Spared) {
		if slices.Contains(j.Recorded.Required, needed) {
			continue
		}
		revoked := time.Time{}
		if place >= len(j.Required) {
			revoked = v.tx.now()
		}
		if _, err := v.tx.exec(ctx, "require", `
			INSERT INTO journey_required (tenant_id, journey_id, validation, place, revoked_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, j.Tenant, j.ID, string(needed), place, at(revoked)); err != nil {
			return err
		}
	}
	j.Spared = nil
	for _, p := range j.Passed {
		now.Passed = append(now.Passed, p.Validation)
		if slices.Contains(j.Recorded.Passed, p.Validation) {
			continue
		}
		if _, err := v.tx.exec(ctx, "pass", `
			INSERT INTO journey_passed (tenant_id, journey_id, validation, method, authenticator_id, passed_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			j.Tenant, j.ID, string(p.Validation), string(p.Method), p.Authenticator, at(p.At)); err != nil {
			return err
		}
	}
	err := errors.Join(
		v.revokeValidations(ctx, "journey_required", j, j.Recorded.Required, now.Required),
		v.revokeValidations(ctx, "journey_passed", j, j.Recorded.Passed, now.Passed))
	if err == nil {
		j.Recorded = now
	}
	return err
}

// revokeValidations revokes the validations of before that are not in kept.
func (v Journeys) revokeValidations(ctx context.Context, table string, j *identity.Journey, before, kept []identity.Validation) error {
	gone := slices.DeleteFunc(slices.Clone(before), func(v identity.Validation) bool { return slices.Contains(kept, v) })
	for some := range slices.Chunk(gone, 3) { // there are three kinds: all that is gone is one statement
		some = append(slices.Clone(some), "", "")
		if _, err := v.tx.exec(ctx, "revoke", `
			UPDATE `+table+` SET revoked_at = $6
			WHERE tenant_id = $1 AND journey_id = $2 AND validation IN ($3, $4, $5) AND revoked_at IS NULL`,
			j.Tenant, j.ID, string(some[0]), string(some[1]), string(some[2]), at(v.tx.now())); err != nil {
			return err
		}
	}
	return nil
}

var selectJourney = bothTexts(func(json jsonSQL) string {
	return `SELECT j.tenant_id, j.id, j.version, j.application_id, j.protocol, j.request, j.binding, j.fingerprint, j.ip,
	j.acr, j.invitation_id, j.adding, j.` + strings.Join(journeyState, ", j.") + `,
	(SELECT ` + json.values("r.place", "r.validation") + ` FROM journey_required r
		WHERE r.tenant_id = $1 AND r.journey_id = $2 AND r.revoked_at IS NULL),
	(SELECT ` + json.rows("p.passed_at, p.validation", "p.validation", "p.method", "p.authenticator_id", "p.passed_at") + ` FROM journey_passed p
		WHERE p.tenant_id = $1 AND p.journey_id = $2 AND p.revoked_at IS NULL),
	a.name, a.home, a.cannot_show, a.plain_push
	FROM journeys j JOIN applications a ON a.tenant_id = j.tenant_id AND a.id = j.application_id
	WHERE j.tenant_id = $1 AND j.id = $2`
})

// Get returns a journey with what it requires and has passed, and with what its
// application can show now. It is one query, since every page and every step begins
// with it.
func (v JourneyReads) Get(ctx context.Context, tenant, id string) (*identity.Journey, error) {
	j := &identity.Journey{}
	var user *string
	var steps string
	var adding, decoy, known, cannotShow, plainPush int64
	var passed []struct {
		Validation    identity.Validation
		Method        identity.Method
		Authenticator string `json:"authenticator_id"`
		PassedAt      int64  `json:"passed_at"`
	}
	err := v.r.q.QueryRowContext(ctx, v.r.dialect.text(selectJourney), tenant, id).Scan(
		&j.Tenant, &j.ID, &j.Version, &j.Application, &j.Protocol, &j.Request, &j.Binding, &j.Fingerprint, &j.IP,
		fromJSON{&j.ACR}, &j.Invitation, &adding,
		&j.Browser, &j.Language, &user, &j.Name, &decoy, &j.StandIn, &known, &j.Refused, &j.Policy, &j.Method,
		&j.Pushes, &j.PushID, nullTime{&j.PushAt}, &j.Notice, &j.Enroll, &j.Platform, nullTime{&j.Code.SentAt},
		nullTime{&j.Code.ExpiresAt}, &j.Code.Tries, &j.Code.Sends, nullTime{&j.Code.PassedAt}, &steps,
		&j.Resync.Authenticator, &j.Resync.Step, &j.Resync.Drift, nullTime{&j.Resync.Until}, &j.Resync.Tries, &j.Reset, &j.Remember,
		nullTime{&j.FreshAfter}, nullTime{&j.StartedAt}, nullTime{&j.ExpiresAt}, nullTime{&j.EndedAt}, &j.Outcome, fromJSON{&j.Required}, fromJSON{&passed}, &j.ApplicationName, &j.ApplicationHome, &cannotShow, &plainPush)
	if err != nil {
		return nil, notFound("journey "+id, err)
	}
	if user != nil {
		j.UserID = *user
	}
	j.Adding = adding != 0
	j.Decoy, j.KnownBrowser, j.CannotShow, j.PlainPush = decoy != 0, known != 0, cannotShow != 0, plainPush != 0
	for s := range strings.FieldsSeq(steps) {
		j.Steps = append(j.Steps, identity.FactorStep(s))
	}
	j.Recorded.Required = slices.Clone(j.Required)
	for _, p := range passed {
		j.Passed = append(j.Passed, identity.CompletedFactor{Validation: p.Validation, Method: p.Method,
			Authenticator: p.Authenticator, At: time.Unix(p.PassedAt, 0).UTC()})
		j.Recorded.Passed = append(j.Recorded.Passed, p.Validation)
	}
	return j, nil
}

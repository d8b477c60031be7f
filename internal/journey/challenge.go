package journey

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// challengeLife is how long a challenge can be answered.
const challengeLife = 2 * time.Minute

// offersChallenge reports whether a challenge may be answered (CRED-3): where
// passcodes count, by who has an authenticator that answers them, once a password
// was proved. Until then it is offered to everybody as soon as anybody of the
// tenant has one, and whoever chooses it is shown a challenge: neither tells
// whose name it is (ENR-4).
func (v *View) offersChallenge(ctx context.Context, r store.Reader) (bool, error) {
	j := v.Journey
	if j.Proved() {
		return v.Codes && authenticator.AnyChallenges(v.Authenticators), nil
	}
	if len(j.Required) == 0 || slices.Contains(j.Missing(), identity.Password) {
		return false, nil // nothing is chosen yet
	}
	if _, _, codes := v.Rules.Push.Anybody(); !codes || !v.Rules.Access.OffersStep(identity.PasscodeStep, j.Application, addressOf(j)) {
		return false, nil
	}
	return r.Challenges().InUse(ctx, j.Tenant)
}

// challenge reads what the page shows, where it shows one.
func (v *View) challenge(ctx context.Context, r store.Reader) (err error) {
	v.Challenge = store.Challenge{}
	if v.Step == AskChallenge {
		v.Challenge, err = r.Challenges().Get(ctx, v.Journey.Tenant, v.Journey.ID)
	}
	return err
}

// pose gives a journey that asks for a response a challenge, unless it has one
// that can still be answered: its page shows the same after a reload (JRN-16). A
// decoy gets one too.
func (v *View) pose(ctx context.Context, tx *store.Tx) error {
	if v.Step != AskChallenge || v.Challenge.Digits != "" || !v.Journey.EndedAt.IsZero() {
		return nil
	}
	v.Challenge = store.Challenge{Digits: otp.NewChallenge(), ExpiresAt: tx.Now().Add(challengeLife)}
	return tx.Challenges().Set(ctx, v.Journey.Tenant, v.Journey.ID, v.Challenge)
}

// NewChallenge asks for another challenge in the place of one that expired. One
// that can still be answered stays.
func (e *Engine) NewChallenge(ctx context.Context, visit Visit, v *View) (*View, error) {
	return e.Step(ctx, visit, v, func(_ *store.Tx, v *View) error {
		v.kept = true
		return nil
	}, AskChallenge)
}

// Response checks the response to the challenge that was shown: counted, checked
// and recorded in one transaction, as a passcode is. The challenge is used up by
// the first response to it, right or wrong, and another takes its place: who
// guesses has one guess at each. One that came too late is not looked at, and
// counts for nothing.
func (e *Engine) Response(ctx context.Context, visit Visit, v *View, typed string) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		response := otp.Canonical(typed)
		if len(response) < 6 || len(response) > 8 || strings.Trim(response, "0123456789") != "" {
			j.Notice = "error.challenge.format" // a slip of the hand, not a try
			return nil
		}
		if err := hit(ctx, tx, visit, v, "passcode"); err != nil {
			return err
		}
		challenge, err := tx.Challenges().Take(ctx, j.Tenant, j.ID)
		if err != nil {
			return err
		}
		if challenge == "" {
			j.Notice = "error.challenge.late"
			return nil
		}
		evaluate := false
		if v.Codes {
			if evaluate, err = e.reserve(ctx, tx, v); err != nil {
				return err
			}
		}
		j.Notice = "error.challenge.wrong"
		if !evaluate {
			err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PasscodeWrong, User: j.UserID, Application: j.Application,
				Journey: j.ID, Reason: unevaluated(v), Data: map[string]string{"challenge": "yes"}, Personal: personal(j)})
			if err != nil {
				return err
			}
			return e.lockIfExceeded(ctx, tx, visit, v)
		}
		result, err := authenticator.Respond(ctx, tx, authenticator.Attempt{Tenant: j.Tenant, User: j.UserID, Application: j.Application,
			Journey: j.ID, Typed: response, Rules: v.Rules.Lockout, From: origin(tx, visit, j)}, challenge)
		if err != nil {
			return err
		}
		if result.Reason == authenticator.Paused { // nothing was looked at
			if j.Proved() {
				j.Notice = "error.passcode.paused"
			}
			return e.giveBack(ctx, tx, v)
		}
		if !result.OK {
			return e.lockIfExceeded(ctx, tx, visit, v)
		}
		j.Notice, v.kept = "", true
		j.Passed = append(j.Passed, identity.Passed{Validation: identity.SecondFactor, Method: identity.ByChallenge,
			Authenticator: result.Authenticator.ID, At: tx.Now()})
		return e.giveBack(ctx, tx, v)
	}, AskChallenge)
}

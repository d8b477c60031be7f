package journey

import (
	"context"
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

// loadChallenge reads the challenge of a journey that asks for a response.
func (f *flow) loadChallenge(ctx context.Context, r store.Reader) (err error) {
	f.Challenge = store.Challenge{}
	if f.Step == AskChallenge {
		f.Challenge, err = r.Challenges().Get(ctx, f.Journey.Tenant, f.Journey.ID)
	}
	return err
}

// issueChallenge gives a journey that asks for a response a challenge, unless it
// has one that can still be answered: its page shows the same after a reload
// (JRN-16). A decoy gets one too.
func (f *flow) issueChallenge(ctx context.Context, tx *store.Tx) error {
	if f.Step != AskChallenge || f.Challenge.Digits != "" || !f.Journey.EndedAt.IsZero() {
		return nil
	}
	f.Challenge = store.Challenge{Digits: otp.NewChallenge(), ExpiresAt: tx.Now().Add(challengeLife)}
	return tx.Challenges().Set(ctx, f.Journey.Tenant, f.Journey.ID, f.Challenge)
}

// enterResponse checks the response to the challenge that was shown: counted,
// checked and recorded in one transaction, as a passcode is. The challenge is used
// up by the first response to it, right or wrong, and another replaces it: whoever
// guesses has one guess at each. A response that came too late is not evaluated,
// and counts for nothing.
func (f *flow) enterResponse(ctx context.Context, tx *store.Tx, in EnterResponse) error {
	j := f.Journey
	response := otp.Canonical(in.Response)
	if len(response) < 6 || len(response) > 8 || strings.Trim(response, "0123456789") != "" {
		j.Notice = "error.challenge.format" // a slip, not a try
		return nil
	}
	if err := f.allow(ctx, tx, "passcode"); err != nil {
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
	if f.Facts.CodesAllowed {
		if evaluate, err = f.reserve(ctx, tx); err != nil {
			return err
		}
	}
	j.Notice = "error.challenge.wrong"
	if !evaluate {
		err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PasscodeWrong, User: j.UserID, Application: j.Application,
			Journey: j.ID, Reason: f.whyNotEvaluated(), Data: map[string]string{"challenge": "yes"}, Personal: personal(j)})
		if err != nil {
			return err
		}
		return f.lockIfExceeded(ctx, tx)
	}
	result, err := authenticator.Respond(ctx, tx, authenticator.Attempt{Tenant: j.Tenant, User: j.UserID, Application: j.Application,
		Journey: j.ID, Typed: response, Rules: f.Rules.Lockout, From: f.origin(tx)}, challenge)
	switch {
	case err != nil:
		return err
	case result.Reason == authenticator.PasscodesLocked: // nothing was evaluated
		if j.Proved() {
			j.Notice = "error.passcode.paused"
		}
		return f.refund(ctx, tx)
	case !result.OK:
		return f.lockIfExceeded(ctx, tx)
	}
	j.Notice, f.unchanged = "", true
	j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByChallenge,
		Authenticator: result.Authenticator.ID, At: tx.Now()})
	return f.right(ctx, tx, "passcode")
}

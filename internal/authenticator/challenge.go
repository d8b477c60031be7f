package authenticator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Respond checks the response to a challenge, counts it and writes its events,
// as [Check] does for a passcode (CRED-3). A wrong one counts against every
// active authenticator that answers challenges, since it may have been meant for
// any; those that make passcodes cannot have been meant (CRED-11). The challenge
// must have been taken from its journey in this transaction: that, and not
// anything here, is what makes a response work once.
func Respond(ctx context.Context, tx *store.Tx, try Attempt, challenge string) (Result, error) {
	counted, err := begin(ctx, tx, try)
	if err != nil {
		return Result{}, err
	}
	if counted.paused {
		result := Result{Reason: Paused}
		return result, recordResponse(ctx, tx, try, result)
	}
	all, err := seeded(ctx, tx, try.Tenant, try.User, answersChallenges)
	if err != nil {
		return Result{}, err
	}
	result, err := answered(ctx, tx, all, challenge, otp.Canonical(try.Typed))
	if err != nil {
		return result, err
	}
	if err := recordResponse(ctx, tx, try, result); err != nil {
		return result, err
	}
	result.NowLocked, err = counted.end(ctx, tx, all, try, result)
	return result, err
}

// recordResponse writes the event of what came of a response.
func recordResponse(ctx context.Context, tx *store.Tx, try Attempt, result Result) error {
	e := audit.Event{Tenant: try.Tenant, Kind: audit.PasscodeRight, User: try.User, Application: try.Application, Journey: try.Journey,
		Authenticator: result.Authenticator.ID, Reason: string(result.Reason), Data: map[string]string{"challenge": "yes"}}
	if result.Authenticator.ID != "" {
		e.Data["serial"] = result.Authenticator.Serial
	}
	if !result.OK {
		e.Kind = audit.PasscodeWrong
	}
	return tx.Event(ctx, e)
}

// answered finds whose response it is.
func answered(ctx context.Context, tx *store.Tx, all []identity.Authenticator, challenge, response string) (Result, error) {
	result := Result{Reason: Wrong}
	for _, a := range all {
		suite, err := otp.ParseSuite(a.Suite)
		if err != nil {
			return result, err
		}
		if !suite.Match(a.Seed, otp.OCRAInput{Question: challenge}, response) {
			continue
		}
		used := false
		if a.State() == identity.Active {
			if used, err = tx.Passcodes().UseResponse(ctx, a.Tenant, a.ID); err != nil {
				return result, err
			}
		}
		if used {
			return Result{OK: true, Authenticator: a}, nil
		}
		result.Authenticator, result.Reason = a, Locked
	}
	return result, nil
}

// approveByResponse checks the response to a push request's nonce in its signed
// approval. It is made by another suite than what people type, so that neither
// can be had in the place of the other.
func approveByResponse(ctx context.Context, tx *store.Tx, a identity.Authenticator, nonce, response string) (push.Verdict, error) {
	suite, err := otp.ParseSuite(otp.ApprovalSuite(a.Digits))
	if err != nil {
		return push.PasscodeWrong, err
	}
	sum := sha256.Sum256([]byte(nonce))
	if !suite.Match(a.Seed, otp.OCRAInput{Question: hex.EncodeToString(sum[:])}, response) {
		return push.PasscodeWrong, nil
	}
	used, err := tx.Passcodes().UseSigned(ctx, a.Tenant, a.ID)
	if err != nil || !used {
		return push.PasscodeWrong, err
	}
	return push.PasscodeRight, nil
}

// AnyChallenges reports whether who has these could answer a challenge at all, be
// it by one that a lock refuses.
func AnyChallenges(all []identity.Authenticator) bool {
	return slices.ContainsFunc(all, func(a identity.Authenticator) bool { return answersChallenges(a) && counts(a) })
}

// answersChallenges reports whether an authenticator answers challenges.
func answersChallenges(a identity.Authenticator) bool { return a.Suite != "" }

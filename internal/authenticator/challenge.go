package authenticator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Respond checks the response to a challenge, counts it and writes its events, as
// [Check] does for a passcode (CRED-3). A wrong response counts against every active
// authenticator that answers challenges, because it could have been meant for any of
// them. It does not count against those that make passcodes (CRED-11). The caller
// must have used up the challenge in this transaction, which guarantees that a
// response works only once.
func Respond(ctx context.Context, tx *store.Tx, try Attempt, challenge string) (Result, error) {
	counted, err := beginAttempt(ctx, tx, try)
	if err != nil {
		return Result{}, err
	}
	if counted.passcodesLocked {
		result := Result{Reason: PasscodesLocked}
		return result, recordResponse(ctx, tx, try, result)
	}
	all, err := loadWithSeeds(ctx, tx, try.Tenant, try.User, identity.Authenticator.AnswersChallenges)
	if err != nil {
		return Result{}, err
	}
	result, err := matchResponse(ctx, tx, all, challenge, otp.Canonical(try.Typed))
	if err != nil {
		return result, err
	}
	if err := recordResponse(ctx, tx, try, result); err != nil {
		return result, err
	}
	result.NowLocked, err = counted.finish(ctx, tx, all, try, result)
	return result, err
}

// recordResponse writes the event of a response.
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

// matchResponse finds the authenticator that made a response.
func matchResponse(ctx context.Context, tx *store.Tx, all []identity.Authenticator, challenge, response string) (Result, error) {
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

// approveByResponse checks the response to a push request's nonce in a signed
// approval. Its suite differs from that of typed responses, so that neither can be
// used in place of the other.
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

package push

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Decision is what the person with the phone decided.
type Decision string

const (
	Approve     Decision = "approve"
	DenyNotMe   Decision = "deny-not-me"
	DenyMistake Decision = "deny-mistake"
)

// A Verdict is the result of checking the passcode that came with an approval.
type Verdict uint8

const (
	PasscodeWrong  Verdict = iota // not accepted; the app may try its next passcode
	PasscodeRight                 // accepted and used up
	PasscodeTooFar                // right but outside the window: resynchronisation is needed first (PUSH-16)
)

// An Answer is an app's answer to a request. Its signature was verified before.
type Answer struct {
	Request  string
	Nonce    string
	Decision Decision
	Number   string // with Approve, if the request has a presence check
	// Passcode checks the passcode that came with Approve. It is called once, after
	// all other checks. With PasscodeTooFar it also returns that passcode, which the
	// next one must follow.
	Passcode func() (Verdict, store.Passcode, error)
}

// An AnswerResult is what an answer did.
type AnswerResult struct {
	Request store.PushRequest
	Outcome store.PushOutcome
	Failed  bool // counts as a failed login of the user (CRED-20); the caller counts it
}

// A Refusal says why an answer changed nothing, in the terms of the apps' API. The
// identity.Error that TakeAnswer returns wraps it.
type Refusal struct {
	Code       string            // "request", "malformed", "state", "push-not-allowed", "ended", "capability" or "passcode"
	Outcome    store.PushOutcome // with "ended": how the request ended
	Capability string            // with "capability": the missing capability
	MinVersion string            // with "capability": the first version of the app that has it; empty if unknown
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("push: %s %s%s", r.Code, r.Outcome, r.Capability)
}

func refuse(kind identity.Kind, key string, r Refusal) error {
	return &identity.Error{Kind: kind, Key: key, Err: &r}
}

// TakeAnswer processes an answer by one of the user's authenticators, whose
// signature was verified before. Of several answers the first ends the request and
// the others are refused. After an error the transaction must be rolled back, so
// that nothing is changed or counted. If the app is to be told the reason, the
// error wraps a Refusal.
func TakeAnswer(ctx context.Context, tx *store.Tx, by identity.Authenticator, answer Answer) (AnswerResult, error) {
	p, a, err := findRequest(ctx, tx, by, answer)
	if err != nil {
		return AnswerResult{}, err
	}
	// Starting a request takes this lock first too. Any other order could lead to a
	// deadlock between the two.
	if _, err := tx.Push().Acquire(ctx, p.Tenant, p.User); err != nil {
		return AnswerResult{}, err
	}
	end := AnswerResult{Request: p}
	var far store.Passcode
	switch answer.Decision {
	case DenyNotMe:
		end.Outcome, end.Failed = store.PushNotMe, true
	case DenyMistake:
		end.Outcome = store.PushMistake
	case Approve:
		if end.Outcome, far, err = approve(ctx, tx, p, a, answer); err != nil {
			return AnswerResult{}, err
		}
		end.Failed = end.Outcome == store.PushWrongNumber
	default:
		return AnswerResult{}, refuse(identity.Invalid, "error.invalid", Refusal{Code: "malformed"})
	}
	ended, err := tx.Push().End(ctx, p.Tenant, p.ID, end.Outcome, a.ID)
	if err != nil {
		return AnswerResult{}, err
	}
	if !ended { // another answer ended it after findRequest
		if p, err = tx.Push().Get(ctx, p.Tenant, p.ID); err != nil {
			return AnswerResult{}, err
		}
		return AnswerResult{}, refuse(identity.Conflict, "error.conflict", Refusal{Code: "ended", Outcome: outcome(p, tx.Now())})
	}
	if end.Outcome == store.PushResync {
		if err := tx.Push().SetResync(ctx, p.Tenant, p.ID, far); err != nil {
			return AnswerResult{}, err
		}
	}
	tx.Notify(store.JourneyTopic(p.Journey))
	if err := tx.Users().Notify(ctx, p.Tenant, p.User); err != nil {
		return AnswerResult{}, err
	}
	return end, record(ctx, tx, end, a)
}

// findRequest returns the open request that an answer is for, and the
// authenticator as it is in this transaction.
func findRequest(ctx context.Context, tx *store.Tx, by identity.Authenticator, answer Answer) (store.PushRequest, identity.Authenticator, error) {
	var p store.PushRequest
	a, err := tx.Authenticators().Get(ctx, by.Tenant, by.ID)
	if err != nil {
		return p, a, err
	}
	if a.State() != identity.Active {
		return p, a, refuse(identity.Forbidden, "error.forbidden", Refusal{Code: "state"})
	}
	unknown := refuse(identity.NotFound, "error.notfound", Refusal{Code: "request"})
	p, err = tx.Push().Get(ctx, a.Tenant, answer.Request)
	if errors.Is(err, identity.NotFound) {
		return p, a, unknown
	}
	if err != nil {
		return p, a, err
	}
	users, err := tx.Authenticators().UserIDs(ctx, a.Tenant, a.ID)
	if err != nil {
		return p, a, err
	}
	if !slices.Contains(users, p.User) {
		return p, a, unknown
	}
	if how := outcome(p, tx.Now()); how != "" {
		return p, a, refuse(identity.Conflict, "error.conflict", Refusal{Code: "ended", Outcome: how})
	}
	if subtle.ConstantTimeCompare([]byte(p.Nonce), []byte(answer.Nonce)) != 1 {
		return p, a, unknown
	}
	return p, a, nil
}

// approve decides how an approval ends the request. It checks the passcode last, so
// that no passcode is used up by an approval that fails for another reason.
func approve(ctx context.Context, tx *store.Tx, p store.PushRequest, a identity.Authenticator, answer Answer) (store.PushOutcome, store.Passcode, error) {
	var far store.Passcode
	may, err := stillAllowed(ctx, tx, p.User, a)
	if err != nil {
		return "", far, err
	}
	if !may {
		return "", far, refuse(identity.Forbidden, "error.forbidden", Refusal{Code: "push-not-allowed"})
	}
	if err := CheckCapability(a, p.Presence); err != nil {
		return "", far, err
	}
	if p.Presence != policy.NoPresence {
		number, err := tx.Push().Number(ctx, p.Tenant, p.ID)
		if err != nil {
			return "", far, err
		}
		if !sameNumber(number, answer.Number) {
			return store.PushWrongNumber, far, nil
		}
	}
	verdict, far, err := answer.Passcode()
	if err != nil {
		return "", far, err
	}
	switch verdict {
	case PasscodeRight:
		return store.PushApproved, far, nil
	case PasscodeTooFar:
		return store.PushResync, far, nil
	}
	return "", far, refuse(identity.Invalid, "error.passcode.wrong", Refusal{Code: "passcode"})
}

// CheckCapability returns nil if an authenticator's app can do a presence check.
// Otherwise it returns a Conflict that wraps a Refusal with the missing capability
// (PUSH-22).
func CheckCapability(a identity.Authenticator, presence policy.Presence) error {
	needed := presence.Capability()
	if slices.Contains(a.Capabilities, needed) {
		return nil
	}
	return refuse(identity.Conflict, "error.conflict", Refusal{Code: "capability", Capability: needed, MinVersion: MinVersion(a.AppVersion, needed)})
}

// sameNumber compares the number shown with the one sent, in constant time. The
// number sent is not normalised: apps send ASCII digits, so " 47", "047" or "47" in
// full-width digits do not come from them. If no number was shown, nothing matches.
func sameNumber(shown, sent string) bool {
	return shown != "" && subtle.ConstantTimeCompare([]byte(shown), []byte(sent)) == 1
}

// record writes the event of an answer. The event of an approval is written when it
// is claimed. A mistake has no event, like a request that was ignored (ADM-6).
func record(ctx context.Context, tx *store.Tx, end AnswerResult, a identity.Authenticator) error {
	p := end.Request
	e := audit.Event{Tenant: p.Tenant, User: p.User, Application: p.ApplicationID, Journey: p.Journey, Authenticator: a.ID,
		Data: map[string]string{"push": p.ID, "serial": a.Serial}}
	switch end.Outcome {
	case store.PushNotMe:
		e.Kind, e.Reason = audit.PushRefused, "rejected by user"
	case store.PushWrongNumber:
		e.Kind, e.Reason = audit.PushRefused, "wrong number"
	case store.PushResync:
		e.Kind = audit.OuterWindow
	default:
		return nil
	}
	return tx.Event(ctx, e)
}

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

// A Verdict is what the passcode in an approval is worth.
type Verdict uint8

const (
	PasscodeWrong  Verdict = iota // cannot be accepted; the app may try its next one
	PasscodeRight                 // and is used up
	PasscodeTooFar                // right, but so far off that the clock must be set first (PUSH-16)
)

// An Answer is what an app answered, its signature checked.
type Answer struct {
	Request  string
	Nonce    string
	Decision Decision
	Number   string // with Approve, where a presence check asks for it
	// Passcode checks the one that came with Approve; it is called last, once.
	// With PasscodeTooFar it says whose the passcode is, for the next to follow.
	Passcode func() (Verdict, store.Passcode, error)
}

// An End is what an answer did.
type End struct {
	Request store.PushRequest
	Outcome store.PushOutcome
	Failed  bool // counts as a failed login of the user (CRED-20): raising the count is the caller's
}

// A Refusal is why an answer changed nothing, in the words of the apps' API.
// It is the cause of the identity.Error that Answer returns.
type Refusal struct {
	Code       string            // "request", "malformed", "state", "push-not-allowed", "ended", "capability" or "passcode"
	Outcome    store.PushOutcome // with "ended": how
	Capability string            // with "capability": which is missing
	Least      string            // with "capability": the least version of the app that has it; empty where nobody knows
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("push: %s %s%s", r.Code, r.Outcome, r.Capability)
}

func refuse(kind identity.Kind, key string, r Refusal) error {
	return &identity.Error{Kind: kind, Key: key, Err: &r}
}

// TakeAnswer takes the answer of one of the user's authenticators, whose
// signature fits. Of several answers the first ends the request; what the
// others wanted is of no account. After an error, whose cause is a Refusal
// where the app is to be told something, the transaction must be rolled back:
// then nothing was changed or counted.
func TakeAnswer(ctx context.Context, tx *store.Tx, by identity.Authenticator, answer Answer) (End, error) {
	p, a, err := addressed(ctx, tx, by, answer)
	if err != nil {
		return End{}, err
	}
	// Whoever starts another request has this turn first too: taken in any other
	// order, the two could wait for each other.
	if _, err := tx.Push().Acquire(ctx, p.Tenant, p.User); err != nil {
		return End{}, err
	}
	end := End{Request: p}
	var far store.Passcode
	switch answer.Decision {
	case DenyNotMe:
		end.Outcome, end.Failed = store.PushNotMe, true
	case DenyMistake:
		end.Outcome = store.PushMistake
	case Approve:
		if end.Outcome, far, err = approve(ctx, tx, p, a, answer); err != nil {
			return End{}, err
		}
		end.Failed = end.Outcome == store.PushWrongNumber
	default:
		return End{}, refuse(identity.Invalid, "error.invalid", Refusal{Code: "malformed"})
	}
	ended, err := tx.Push().End(ctx, p.Tenant, p.ID, end.Outcome, a.ID)
	if err != nil {
		return End{}, err
	}
	if !ended { // by another answer, between our look and our update
		if p, err = tx.Push().Get(ctx, p.Tenant, p.ID); err != nil {
			return End{}, err
		}
		return End{}, refuse(identity.Conflict, "error.conflict", Refusal{Code: "ended", Outcome: outcome(p, tx.Now())})
	}
	if end.Outcome == store.PushResync {
		if err := tx.Push().SetResync(ctx, p.Tenant, p.ID, far); err != nil {
			return End{}, err
		}
	}
	tx.Notify(store.JourneyTopic(p.Journey))
	if err := tx.Users().Notify(ctx, p.Tenant, p.User); err != nil {
		return End{}, err
	}
	return end, record(ctx, tx, end, a)
}

// addressed returns the open request an answer is meant for, and the
// authenticator as it is in this transaction.
func addressed(ctx context.Context, tx *store.Tx, by identity.Authenticator, answer Answer) (store.PushRequest, identity.Authenticator, error) {
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

// approve decides how an approval ends the request. The passcode comes last,
// so that none is used up for an approval that fails otherwise.
func approve(ctx context.Context, tx *store.Tx, p store.PushRequest, a identity.Authenticator, answer Answer) (store.PushOutcome, store.Passcode, error) {
	var far store.Passcode
	may, err := alive(ctx, tx, p.User, a)
	if err != nil {
		return "", far, err
	}
	if !may {
		return "", far, refuse(identity.Forbidden, "error.forbidden", Refusal{Code: "push-not-allowed"})
	}
	if err := Able(a, p.Presence); err != nil {
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

// Able is nil where an authenticator's app can do a presence check; else it is a
// Conflict whose cause says what is missing (PUSH-22).
func Able(a identity.Authenticator, presence policy.Presence) error {
	needed := Capability(presence)
	if slices.Contains(a.Capabilities, needed) {
		return nil
	}
	return refuse(identity.Conflict, "error.conflict", Refusal{Code: "capability", Capability: needed, Least: Least(a.AppVersion, needed)})
}

// sameNumber compares the number shown with the one sent, in constant time.
// What was sent is compared as it is: apps send ASCII digits, and whoever sends
// " 47", "047" or "47" in wide digits is no app of ours. Nothing was shown is
// nothing to match.
func sameNumber(shown, sent string) bool {
	return shown != "" && subtle.ConstantTimeCompare([]byte(shown), []byte(sent)) == 1
}

// record writes the event of an answer. An approval's comes when it is claimed;
// a mistake leaves none, no more than a request that was ignored (ADM-6).
func record(ctx context.Context, tx *store.Tx, end End, a identity.Authenticator) error {
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

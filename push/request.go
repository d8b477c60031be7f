package push

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/audit"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/store"
)

// An Outcome is how a request ended. Each is final (PUSH-26).
type Outcome string

const (
	Unanswered  Outcome = ""
	Approved    Outcome = "approved"
	NotMe       Outcome = "denied: not me"
	Mistake     Outcome = "denied: mistake"
	WrongNumber Outcome = "wrong number"
	Expired     Outcome = "expired"
	Superseded  Outcome = "superseded"
	Cancelled   Outcome = "cancelled"
	Resync      Outcome = "resync required"
)

// ClaimLife is how long an approval waits for its journey.
const ClaimLife = time.Minute

// A Reader is what reads go through: the database, or a transaction.
type Reader interface {
	Now() time.Time
	PushRequest(ctx context.Context, tenant, id string) (store.PushRequest, error)
	PushNumber(ctx context.Context, tenant, id string) (string, error)
	UnfinishedPush(ctx context.Context, tenant, user string) (store.PushRequest, bool, error)
	MAC(code string, bound ...string) (mac []byte, root int64, err error)
}

// A State is what the page of a waiting journey, or an app, sees of a request.
type State struct {
	ID          string
	Application string
	Name        string // user name as typed
	IP          string
	Place       string
	Presence    policy.Presence
	Nonce       string
	LoginAt     time.Time
	ExpiresAt   time.Time
	Outcome     Outcome
	Browser     string
	Journey     string
}

// Open reports whether the request can still be answered.
func (s State) Open() bool { return s.Outcome == Unanswered }

func state(p store.PushRequest, now time.Time) State {
	s := State{ID: p.ID, Application: p.Application, Name: p.Name, IP: p.IP, Place: p.Place, Presence: policy.Presence(p.Presence),
		Nonce: p.Nonce, LoginAt: p.LoginAt, ExpiresAt: p.ExpiresAt, Outcome: Outcome(p.Outcome), Browser: p.Browser, Journey: p.Journey}
	switch {
	case s.Outcome == Unanswered && !now.Before(p.ExpiresAt):
		s.Outcome = Expired
	case s.Outcome == Approved && (!p.ClaimedAt.IsZero() || now.Sub(p.EndedAt) > ClaimLife):
		s.Outcome = Expired // used up, or nobody came for it
	}
	return s
}

// Look returns a request as it stands now.
func Look(ctx context.Context, r Reader, tenant, id string) (State, error) {
	p, err := r.PushRequest(ctx, tenant, id)
	return state(p, r.Now()), err
}

// Pending returns the open request of a user, and false if there is none.
func Pending(ctx context.Context, r Reader, tenant, user string) (State, bool, error) {
	p, ok, err := r.UnfinishedPush(ctx, tenant, user)
	s := state(p, r.Now())
	return s, ok && s.Open(), err
}

// Nobodys is the request of a journey whose name is nobody's, or of somebody no
// push can reach, where no password was proved: a page like any other's that
// nobody answers (ENR-4).
func Nobodys(at time.Time, lifetime time.Duration, now time.Time) State {
	s := State{Presence: policy.Enter, ExpiresAt: at.Add(lifetime)}
	if !now.Before(s.ExpiresAt) {
		s.Outcome = Expired
	}
	return s
}

// Number is what the page shows for the presence check; empty where there is
// none. Nobody's request has one too, the same at each look.
func Number(ctx context.Context, r Reader, j *identity.Journey, s State) (string, error) {
	if s.ID != "" {
		return r.PushNumber(ctx, j.Tenant, s.ID)
	}
	mac, _, err := r.MAC(strconv.FormatInt(j.Pushes, 10), "nobody's number", j.ID)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(10+binary.BigEndian.Uint64(mac)%90, 10), nil
}

// A Start is what a request is made of: what PUSH-12 shows, and how it is to be
// answered.
type Start struct {
	Tenant      string
	User        string
	Journey     string
	Browser     string
	Application string
	Name        string
	IP          string
	LoginAt     time.Time
	Presence    policy.Presence
	Lifetime    time.Duration
	Spacing     time.Duration
}

// Send starts a request. What has expired is ended first, and so is one from
// the same browser, whose answer is then refused as superseded; one from
// another browser stays, and is a Conflict here (PUSH-10). A Throttled says
// that the user's last one was sent a moment ago, from whatever browser.
func Send(ctx context.Context, tx *store.Tx, s Start) (State, error) {
	now := tx.Now()
	if err := tx.ExpirePush(ctx, s.Tenant, s.User, string(Expired)); err != nil {
		return State{}, err
	}
	old, unfinished, err := tx.UnfinishedPush(ctx, s.Tenant, s.User)
	if err != nil {
		return State{}, err
	}
	last, err := tx.LastPush(ctx, s.Tenant, s.User)
	if err != nil {
		return State{}, err
	}
	if unfinished && old.Browser != s.Browser {
		return State{}, &identity.Error{Kind: identity.Conflict, Key: "error.push.elsewhere"}
	}
	if wait := last.Add(s.Spacing).Sub(now); wait > 0 {
		return State{}, &identity.Error{Kind: identity.Throttled, Key: "error.push.wait", RetryAfter: wait}
	}
	if unfinished {
		if _, err := end(ctx, tx, old, Superseded, ""); err != nil {
			return State{}, err
		}
	}
	p := store.PushRequest{Tenant: s.Tenant, ID: identity.NewID(identity.PushID), User: s.User, Journey: s.Journey, Browser: s.Browser,
		Application: s.Application, Name: s.Name, IP: s.IP, Presence: string(s.Presence), Nonce: rand.Text(),
		LoginAt: s.LoginAt, CreatedAt: now, ExpiresAt: now.Add(s.Lifetime)}
	if p.Number, err = newNumber(s.Presence); err != nil {
		return State{}, err
	}
	added, err := tx.AddPush(ctx, p)
	if err != nil {
		return State{}, err
	}
	if !added { // another browser was faster
		return State{}, &identity.Error{Kind: identity.Conflict, Key: "error.push.elsewhere"}
	}
	tx.Wake(store.UserTopic(s.User))
	err = tx.Event(ctx, audit.Event{Tenant: s.Tenant, Kind: audit.PushChallenge, User: s.User, Journey: s.Journey,
		Data:     map[string]string{"request": p.ID, "presence": string(s.Presence), "application": s.Application},
		Personal: map[string]string{"name": s.Name, "shown ip": s.IP, "shown time": s.LoginAt.UTC().Format(time.RFC3339)}})
	return state(p, now), err
}

// newNumber makes the number of a presence check from a cryptographic source
// (PUSH-19): two digits without a leading zero, 10 to 99.
func newNumber(p policy.Presence) (string, error) {
	if p == policy.NoPresence {
		return "", nil
	}
	if p != policy.Enter {
		return "", fmt.Errorf("push: presence check %q is not built yet", p)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		return "", fmt.Errorf("push: number: %w", err)
	}
	return strconv.FormatInt(10+n.Int64(), 10), nil
}

// end ends a request and wakes who watches it: the page that waits, and the
// user's other apps, which drop it.
func end(ctx context.Context, tx *store.Tx, p store.PushRequest, o Outcome, authenticator string) (bool, error) {
	ended, err := tx.EndPush(ctx, p.Tenant, p.ID, string(o), authenticator)
	if err == nil && ended {
		tx.Wake(store.JourneyTopic(p.Journey))
		tx.Wake(store.UserTopic(p.User))
	}
	return ended, err
}

// Cancel ends a request because the journey no longer waits for it. One that
// has ended already stays as it ended.
func Cancel(ctx context.Context, tx *store.Tx, tenant, id string) error {
	p, err := tx.PushRequest(ctx, tenant, id)
	if err != nil {
		return err
	}
	_, err = end(ctx, tx, p, Cancelled, "")
	return err
}

// A Decision is what a person chose on the phone.
type Decision string

const (
	Approve     Decision = "approve"
	DenyNotMe   Decision = "deny-not-me"
	DenyMistake Decision = "deny-mistake"
)

// An Answer is an app's answer to a request, its signature checked.
type Answer struct {
	Tenant        string
	Request       string
	Nonce         string
	User          string // whose authenticator answers
	Authenticator string
	Decision      Decision
	Number        string
}

// ErrOver says that a request can no longer be answered.
var ErrOver = &identity.Error{Kind: identity.Conflict, Key: "error.push.over"}

// Respond ends a request by an answer and returns how. approves is asked only
// for an approval whose number was right: it checks the passcode, in this
// transaction, and says whether it was good. In the outcomes NotMe and
// WrongNumber the caller counts a failed login of the user.
//
// The first answer counts: an answer to a request that is over, of somebody
// else, or with another nonce is ErrOver.
func Respond(ctx context.Context, tx *store.Tx, a Answer, approves func() (bool, error)) (Outcome, error) {
	p, err := tx.PushRequest(ctx, a.Tenant, a.Request)
	if err != nil {
		return "", err
	}
	if p.User != a.User || !state(p, tx.Now()).Open() || subtle.ConstantTimeCompare([]byte(p.Nonce), []byte(a.Nonce)) != 1 {
		return "", ErrOver
	}
	outcome, err := decide(ctx, tx, p, a, approves)
	if err != nil {
		return "", err
	}
	ended, err := end(ctx, tx, p, outcome, a.Authenticator)
	if err != nil {
		return "", err
	}
	if !ended {
		return "", ErrOver // and with it all that was done here is rolled back
	}
	return outcome, record(ctx, tx, p, a, outcome)
}

func decide(ctx context.Context, tx *store.Tx, p store.PushRequest, a Answer, approves func() (bool, error)) (Outcome, error) {
	switch a.Decision {
	case DenyNotMe:
		return NotMe, nil
	case DenyMistake:
		return Mistake, nil
	case Approve:
	default:
		return "", &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: fmt.Errorf("push: decision %q", a.Decision)}
	}
	number, err := tx.PushNumber(ctx, p.Tenant, p.ID)
	if err != nil {
		return "", err
	}
	// Exactly the digits shown, in ASCII: " 47", "047" and full-width ones are
	// other numbers, and a request without a check takes no number.
	if subtle.ConstantTimeCompare([]byte(number), []byte(a.Number)) != 1 {
		return WrongNumber, nil
	}
	good, err := approves()
	if err != nil {
		return "", err
	}
	if !good {
		return Resync, nil
	}
	return Approved, nil
}

// record writes the event of an answer: ADM-6's rows and no others. An approval
// is told when it is claimed; a mistake, like silence, leaves only its
// challenge.
func record(ctx context.Context, tx *store.Tx, p store.PushRequest, a Answer, o Outcome) error {
	e := audit.Event{Tenant: p.Tenant, Kind: audit.PushRefused, User: p.User, Authenticator: a.Authenticator, Journey: p.Journey,
		Data: map[string]string{"request": p.ID}}
	switch o {
	case NotMe:
		e.Reason = "rejected by user"
	case WrongNumber:
		e.Reason = "wrong number"
	case Resync:
		e.Kind = audit.OuterWindow
	default:
		return nil
	}
	return tx.Event(ctx, e)
}

// Claim takes an approval for the journey that asked: once, within a minute.
// live is asked whether the authenticator that approved may still do so: what
// was true at the approval may have been revoked since.
func Claim(ctx context.Context, tx *store.Tx, j *identity.Journey, live func(authenticator string) (bool, error)) (authenticator string, err error) {
	p, err := tx.PushRequest(ctx, j.Tenant, j.PushID)
	if err != nil {
		return "", err
	}
	ok, err := live(p.Authenticator)
	if err != nil {
		return "", err
	}
	claimed := false
	if ok {
		claimed, err = tx.ClaimPush(ctx, j.Tenant, p.ID, j.ID, string(Approved), tx.Now().Add(-ClaimLife))
		if err != nil {
			return "", err
		}
	}
	if !claimed {
		return "", &identity.Error{Kind: identity.Conflict, Key: "error.push.over", Err: fmt.Errorf("push %s cannot be claimed", p.ID)}
	}
	return p.Authenticator, tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PushApproved, User: p.User,
		Authenticator: p.Authenticator, Journey: j.ID, Data: map[string]string{"request": p.ID}})
}

package push

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// claimTimeout is the time within which an approval must be claimed (PUSH-26).
const claimTimeout = 60 * time.Second

// A Display is what the phone shows in addition to data of the journey, which are
// the user name as typed, the address, the browser and the start of the login
// (PUSH-12).
type Display struct {
	Application string
	Place       string // location of the address; may be empty
}

// Start creates a push request for a journey whose user is known. It first ends
// expired requests and an open request from the same browser. An open request from
// another browser is a Conflict (PUSH-10). The keys of its errors are
// error.push.elsewhere, error.push.wait, error.push.limit and error.push.locked.
// The transaction must be committed after these errors too, because otherwise a
// new lock would be lost. The error error.push.locked wraps a [Locked].
//
// Whether policy lets a push be sent, and with which presence check, was decided before
// by policy.Push.Check (PUSH-7), of which package journey makes its offer. Here it is
// held, in the transaction, what may be counted: see checkMayStart and lockIfTooMany.
func Start(ctx context.Context, tx *store.Tx, j *identity.Journey, shown Display, presence policy.Presence, rules policy.Push) (store.PushRequest, error) {
	return startRequest(ctx, tx, j, shown, presence, rules, false)
}

// StartAnonymous is Start for somebody who has proved nothing, in a browser that the
// user has not signed in from. Its requests use up nothing that is the user's: they
// are counted apart and lock nothing, and the user's own request supersedes one.
func StartAnonymous(ctx context.Context, tx *store.Tx, j *identity.Journey, shown Display, presence policy.Presence, rules policy.Push) (store.PushRequest, error) {
	return startRequest(ctx, tx, j, shown, presence, rules, true)
}

func startRequest(ctx context.Context, tx *store.Tx, j *identity.Journey, shown Display, presence policy.Presence, rules policy.Push, anonymous bool) (store.PushRequest, error) {
	p := store.PushRequest{
		Tenant: j.Tenant, ID: identity.NewID(identity.PushID), User: j.UserID, Journey: j.ID, ApplicationID: j.Application,
		Browser: j.Browser, Application: shown.Application, Name: j.Name, IP: j.IP, Place: shown.Place, Agent: j.Fingerprint, Presence: presence,
		Nonce: newNonce(), Anonymous: anonymous, LoginAt: j.StartedAt, CreatedAt: tx.Now(),
	}
	p.ExpiresAt = p.CreatedAt.Add(time.Duration(rules.Lifetime) * time.Second)
	until, err := tx.Push().Acquire(ctx, p.Tenant, p.User)
	if err != nil {
		return p, err
	}
	if p.CreatedAt.Before(until) {
		return p, lockedError(p, Locked{Until: until})
	}
	if err := checkMayStart(ctx, tx, p, rules); err != nil {
		return p, err
	}
	if err := lockIfTooMany(ctx, tx, p, rules, until); err != nil {
		return p, err
	}
	if err := setNumber(ctx, tx, &p, rules); err != nil {
		return p, err
	}
	spacing := time.Duration(rules.Spacing) * time.Second
	ended, err := tx.Push().Replace(ctx, p, p.CreatedAt.Add(-spacing))
	if err != nil {
		return p, err
	}
	for _, journey := range ended {
		tx.Notify(store.JourneyTopic(journey))
	}
	added, err := tx.Push().Add(ctx, p)
	if err != nil {
		return p, err
	}
	if !added {
		// Another request was added since checkMayStart was called.
		if err := checkMayStart(ctx, tx, p, rules); err != nil {
			return p, err
		}
		return p, &identity.Error{Kind: identity.Conflict, Key: "error.push.wait", RetryAfter: spacing}
	}
	if err := tx.Users().Notify(ctx, p.Tenant, p.User); err != nil {
		return p, err
	}
	if err := tx.Notifications().Queue(ctx, p); err != nil {
		return p, err
	}
	tenant, err := tx.Tenants().Get(ctx, p.Tenant)
	if err != nil {
		return p, err
	}
	// The event has what the phone is shown (PUSH-12, ADM-6), but never the number.
	return p, tx.Event(ctx, audit.Event{Tenant: p.Tenant, Kind: audit.PushChallenge, User: p.User, Application: p.ApplicationID, Journey: p.Journey,
		Data: map[string]string{"push": p.ID, "application": p.Application, "organisation": tenant.OrganisationName(),
			"started": p.LoginAt.UTC().Format(time.RFC3339), "presence": string(p.Presence)},
		Personal: map[string]string{"name": p.Name, "from": p.IP, "place": p.Place, "browser": p.Agent}})
}

// checkMayStart refuses a request if one from another browser is open, unless that is
// anonymous and this is not, if the user's last one was too recent, or if the
// journey has reached its maximum (PUSH-9).
func checkMayStart(ctx context.Context, tx *store.Tx, p store.PushRequest, rules policy.Push) error {
	open, err := tx.Push().Open(ctx, p.Tenant, p.User)
	switch {
	case err == nil && open.Browser != p.Browser && (p.Anonymous || !open.Anonymous):
		return &identity.Error{Kind: identity.Conflict, Key: "error.push.elsewhere", RetryAfter: open.ExpiresAt.Sub(p.CreatedAt)}
	case err != nil && !errors.Is(err, identity.NotFound):
		return err
	}
	sent, err := tx.Push().CountOfJourney(ctx, p.Tenant, p.Journey)
	if err != nil {
		return err
	}
	if sent >= rules.PerJourney {
		return &identity.Error{Kind: identity.Throttled, Key: "error.push.limit"}
	}
	last, err := tx.Push().LastAt(ctx, p.Tenant, p.User)
	if err != nil {
		return err
	}
	if wait := last.Add(time.Duration(rules.Spacing) * time.Second).Sub(p.CreatedAt); !last.IsZero() && wait > 0 {
		return &identity.Error{Kind: identity.Throttled, Key: "error.push.wait", RetryAfter: wait}
	}
	return nil
}

// newNonce returns the nonce of a request. An answer must contain it, so that it
// cannot answer another request, or come from an app that has not seen this one.
func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Pending returns the open request of a user, without its number. The error is
// NotFound if there is none.
func Pending(ctx context.Context, r store.Reader, tenant, user string) (store.PushRequest, error) {
	return r.Push().Open(ctx, tenant, user)
}

// NotifyWaiting wakes the page that waits for an open request of a user, after a change
// of what decides whether the request can still be answered.
func NotifyWaiting(ctx context.Context, tx *store.Tx, tenant, user string) error {
	p, err := tx.Push().Open(ctx, tenant, user)
	if errors.Is(err, identity.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.Notify(store.JourneyTopic(p.Journey))
	return nil
}

// RejectionsSince returns the time since which rejections with *it wasn't me*
// count: for a day after one a push needs a presence check (PUSH-14).
func RejectionsSince(now time.Time) time.Time { return now.Add(-24 * time.Hour) }

// A State is the state of a request, for the page that waits for it.
type State struct {
	Request store.PushRequest
	Outcome store.PushOutcome // empty while it can be answered; PushNoLonger if its approval was refused when claimed
	Number  string            // number to show; empty without a presence check or after the end
	Left    time.Duration     // until it expires
}

// Waiting reports whether the page should keep waiting: for an answer, or for the
// journey to claim the approval.
func (s State) Waiting() bool {
	return s.Outcome == "" || s.Outcome == store.PushApproved && s.Request.ClaimedAt.IsZero()
}

// LoadState returns the present state of a request.
func LoadState(ctx context.Context, r store.Reader, tenant, id string) (State, error) {
	p, err := r.Push().Get(ctx, tenant, id)
	if err != nil {
		return State{}, err
	}
	s := State{Request: p, Outcome: outcome(p, r.Now())}
	if !p.RefusedAt.IsZero() {
		s.Outcome = store.PushNoLonger
	}
	if s.Outcome != "" {
		return s, nil
	}
	s.Left = p.ExpiresAt.Sub(r.Now())
	s.Number, err = r.Push().Number(ctx, tenant, id)
	return s, err
}

// outcome returns how a request has ended at a time, or "" if it is open. The row
// need not say so: nothing writes that a request expired. An approval that was not
// claimed in time has expired too.
func outcome(p store.PushRequest, now time.Time) store.PushOutcome {
	switch {
	case p.EndedAt.IsZero() && now.Before(p.ExpiresAt):
		return ""
	case p.EndedAt.IsZero():
		return store.PushExpired
	case !p.RefusedAt.IsZero():
		return store.PushExpired
	case p.Outcome == store.PushApproved && p.ClaimedAt.IsZero() && now.After(p.EndedAt.Add(claimTimeout)):
		return store.PushExpired
	}
	return p.Outcome
}

// Cancel ends a request because the user went back in the browser or chose another
// method. It does nothing if the request has ended. An approval that arrives later
// is refused.
func Cancel(ctx context.Context, tx *store.Tx, tenant, id string) error {
	p, err := tx.Push().Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	ended, err := tx.Push().End(ctx, tenant, id, store.PushCancelled, "")
	if err != nil || !ended {
		return err
	}
	return tx.Users().Notify(ctx, tenant, p.User)
}

// Claim uses up an approval for a journey. It succeeds once, within claimTimeout,
// for the journey that asked, and only if user, authenticator and policy still
// allow it. It writes the event of success. The caller must record the passed
// validation in the same transaction. An approval that cannot be claimed is an
// Expired error. One that may no longer count is a Forbidden error and is refused
// permanently; the transaction must be committed for that.
func Claim(ctx context.Context, tx *store.Tx, j *identity.Journey, id string) (identity.Authenticator, error) {
	if _, err := tx.Push().Acquire(ctx, j.Tenant, j.UserID); err != nil {
		return identity.Authenticator{}, err
	}
	answered, ok, err := tx.Push().Claim(ctx, j.Tenant, id, j.ID, tx.Now().Add(-claimTimeout))
	if err != nil {
		return identity.Authenticator{}, err
	}
	if !ok {
		return identity.Authenticator{}, &identity.Error{Kind: identity.Expired, Key: "error.expired",
			Err: fmt.Errorf("push: %s is not approved for journey %s, or was claimed", id, j.ID)}
	}
	a, err := tx.Authenticators().Get(ctx, j.Tenant, answered)
	if err != nil {
		return a, err
	}
	may, err := stillAllowed(ctx, tx, j.UserID, a)
	if err != nil {
		return a, err
	}
	if !may {
		if err := tx.Push().RefuseClaim(ctx, j.Tenant, id); err != nil {
			return a, err
		}
		return a, &identity.Error{Kind: identity.Forbidden, Key: "error.forbidden",
			Err: fmt.Errorf("push: the approval of %s by %s may not count any more", id, a.ID)}
	}
	if err := tx.Push().Forgive(ctx, j.Tenant, j.UserID); err != nil {
		return a, err
	}
	return a, tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PushApproved, User: j.UserID, Application: j.Application, Journey: j.ID,
		Authenticator: a.ID, Data: map[string]string{"push": id, "serial": a.Serial}})
}

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

// grace is how long an approval waits to be claimed (PUSH-26).
const grace = 60 * time.Second

// Shown is what the phone shows besides what the journey holds: the user name
// as typed, the address, and when the login began (PUSH-12).
type Shown struct {
	Application string
	Place       string // where the address is; may be empty
}

// Start makes a push request for a journey whose user was identified. What has
// expired, or came from the same browser, ends first; one from another browser
// is a Conflict (PUSH-10). The keys of its errors are error.push.elsewhere,
// error.push.wait, error.push.limit and error.push.locked: the transaction must
// commit after each of them, or a lock that a request too many brought about
// would not last. The cause of the last is a [Locked].
//
// Whether a push may be sent at all, and with which presence check, is policy,
// and decided before (PUSH-7).
func Start(ctx context.Context, tx *store.Tx, j *identity.Journey, shown Shown, presence policy.Presence, rules policy.Push) (store.PushRequest, error) {
	p := store.PushRequest{
		Tenant: j.Tenant, ID: identity.NewID(identity.PushID), User: j.UserID, Journey: j.ID, ApplicationID: j.Application,
		Browser: j.Browser, Application: shown.Application, Name: j.Name, IP: j.IP, Place: shown.Place, Presence: presence,
		Nonce: newNonce(), LoginAt: j.StartedAt, CreatedAt: tx.Now(),
	}
	p.ExpiresAt = p.CreatedAt.Add(time.Duration(rules.Lifetime) * time.Second)
	until, err := tx.Push().Acquire(ctx, p.Tenant, p.User)
	if err != nil {
		return p, err
	}
	if p.CreatedAt.Before(until) {
		return p, locked(p, Locked{Until: until})
	}
	if err := space(ctx, tx, p, rules); err != nil {
		return p, err
	}
	if err := count(ctx, tx, p, rules, until); err != nil {
		return p, err
	}
	if err := number(ctx, tx, &p, rules); err != nil {
		return p, err
	}
	spacing := time.Duration(rules.Spacing) * time.Second
	ended, err := tx.Push().Replace(ctx, p.Tenant, p.User, p.Browser, p.CreatedAt.Add(-spacing))
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
		// Somebody was faster, after we looked.
		if err := space(ctx, tx, p, rules); err != nil {
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
	// What the phone is shown (PUSH-12, ADM-6), and never the number.
	return p, tx.Event(ctx, audit.Event{Tenant: p.Tenant, Kind: audit.PushChallenge, User: p.User, Application: p.ApplicationID, Journey: p.Journey,
		Data: map[string]string{"push": p.ID, "application": p.Application, "organisation": tenant.OrganisationName(),
			"started": p.LoginAt.UTC().Format(time.RFC3339), "presence": string(p.Presence)},
		Personal: map[string]string{"name": p.Name, "from": p.IP, "place": p.Place}})
}

// space refuses a request while another browser's waits, too soon after the
// user's last one, and past the most that a journey may send (PUSH-9).
func space(ctx context.Context, tx *store.Tx, p store.PushRequest, rules policy.Push) error {
	open, err := tx.Push().Open(ctx, p.Tenant, p.User)
	switch {
	case err == nil && open.Browser != p.Browser:
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

// newNonce returns what an answer must name, so that one to another request,
// or from an app that has not seen this one, fits nothing.
func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Pending returns the request of a user that waits for an answer, without its
// number; a NotFound says that there is none.
func Pending(ctx context.Context, r store.Reader, tenant, user string) (store.PushRequest, error) {
	return r.Push().Open(ctx, tenant, user)
}

// RejectionCounts is the moment since which a user's *it wasn't me* counts: for
// a day after it a plain push is not enough (PUSH-14).
func RejectionCounts(now time.Time) time.Time { return now.Add(-24 * time.Hour) }

// A State is how a request stands, for the page that waits for it.
type State struct {
	Request store.PushRequest
	Outcome store.PushOutcome // empty while it can be answered; PushNoLonger where its approval could not count any more
	Number  string            // to be shown; empty where there is none, or once ended
	Left    time.Duration     // until it expires
}

// Waiting reports whether there is something to wait for: an answer, or an
// approval that the journey has yet to claim.
func (s State) Waiting() bool {
	return s.Outcome == "" || s.Outcome == store.PushApproved && s.Request.ClaimedAt.IsZero()
}

// Look returns how a request stands now.
func Look(ctx context.Context, r store.Reader, tenant, id string) (State, error) {
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

// outcome is how a request ended by the clock, which the row may be behind:
// nobody needs to write that its time is over. An approval that nobody claims
// in time lapses too.
func outcome(p store.PushRequest, now time.Time) store.PushOutcome {
	switch {
	case p.EndedAt.IsZero() && now.Before(p.ExpiresAt):
		return ""
	case p.EndedAt.IsZero():
		return store.PushExpired
	case !p.RefusedAt.IsZero():
		return store.PushExpired
	case p.Outcome == store.PushApproved && p.ClaimedAt.IsZero() && now.After(p.EndedAt.Add(grace)):
		return store.PushExpired
	}
	return p.Outcome
}

// Cancel ends a request that the browser no longer waits for, because the
// person went back, or chose another way. One that has ended already stays as
// it is. An approval on its way finds the request cancelled.
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

// Claim turns an approval into the journey's own: once, within a minute, by the
// journey that asked, if user, authenticator and policy still allow it. It
// writes the event of success; the validation is the caller's to write, in the
// same transaction. An approval that cannot be claimed is an Expired, one that
// may not count any more a Forbidden: it is refused for good, and the
// transaction must commit.
func Claim(ctx context.Context, tx *store.Tx, j *identity.Journey, id string) (identity.Authenticator, error) {
	if _, err := tx.Push().Acquire(ctx, j.Tenant, j.UserID); err != nil {
		return identity.Authenticator{}, err
	}
	answered, ok, err := tx.Push().Claim(ctx, j.Tenant, id, j.ID, tx.Now().Add(-grace))
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
	may, err := alive(ctx, tx, j.UserID, a)
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

package journey

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// sendPush sends a push request: the first, or another. It is always a deliberate
// act on a page the person saw (PUSH-7).
//
// Before a password was proved nothing the page does may depend on whose name it
// is (ENR-4): the limits are counted by name, and a request that could not be sent
// is waited for like one that was.
func (f *flow) sendPush(ctx context.Context, tx *store.Tx) error {
	j, proved := f.Journey, f.Journey.Proved()
	problem, err := f.whyNoPush(ctx, tx)
	if err != nil {
		return err
	}
	if problem != "" {
		j.Notice = problem
		return nil
	}
	sent := ""
	if f.Facts.PushTo > 0 && f.Facts.LockedUntil.IsZero() {
		if sent, problem, err = f.startPush(ctx, tx); err != nil {
			return err
		}
	}
	if problem == "error.push.locked" && proved {
		f.dropResync(tx.Now())
		j.Method, j.PushID = "", "" // what was asked for before waits no more
	}
	if problem != "" && proved {
		j.Notice = problem
		return nil
	}
	if sent == "" {
		if err := f.cancelPush(ctx, tx); err != nil {
			return err
		}
	}
	f.dropResync(tx.Now())
	j.PushID = sent
	j.Method, j.PushAt = identity.ByPush, tx.Now()
	j.Pushes++
	f.unchanged = true
	return nil
}

// whyNoPush says, as a locale key, why no push may be sent now; empty where one may
// (PUSH-9). Spacing and the number of a journey are checked here although
// [push.Start] holds them too: a decoy, to whom nothing is sent, must meet the same
// limits (ENR-4).
func (f *flow) whyNoPush(ctx context.Context, tx *store.Tx) (problem string, err error) {
	j, proved := f.Journey, f.Journey.Proved()
	spacing := time.Duration(f.Rules.Push.Spacing) * time.Second
	switch {
	case proved && f.Facts.Push && !f.Facts.PushLockedUntil.IsZero():
		return "error.push.locked", nil
	case !f.Facts.Push || proved && f.Facts.PushTo == 0:
		return "error.choice.missing", nil
	case !j.PushAt.IsZero() && tx.Now().Before(j.PushAt.Add(spacing)):
		return "error.push.wait", nil
	case j.Pushes >= f.Rules.Push.PerJourney:
		return "error.push.limit", nil
	case proved:
		return "", nil
	}
	name := store.Hash(identity.FoldName(j.Name))
	if j.KnownBrowser { // whoever asks for the name elsewhere keeps nobody waiting here
		name += " " + j.Browser
	}
	err = tx.Allow(ctx, j.Tenant, store.Rate{Kind: "push by name", Max: 1, Per: spacing}, name)
	if errors.Is(err, identity.Throttled) {
		return "error.push.wait", nil
	}
	return "", err
}

// startPush starts the request, or says what keeps it from being sent.
func (f *flow) startPush(ctx context.Context, tx *store.Tx) (id, problem string, err error) {
	start := push.StartAnonymous
	if f.Journey.Proved() || f.Journey.KnownBrowser {
		start = push.Start
	}
	sent, err := start(ctx, tx, f.Journey, push.Display{Application: f.applicationName(), Place: f.place()}, f.Presence, f.Rules.Push)
	if l, ok := errors.AsType[*push.Locked](err); ok && l.JustLocked {
		return "", "error.push.locked", directory.NotifyPushLocked(ctx, tx, f.Rules.Push.Alerts, f.User, l.Until, f.origin(tx))
	}
	if refused, ok := errors.AsType[*identity.Error](err); ok && (refused.Kind == identity.Conflict || refused.Kind == identity.Throttled) {
		return "", refused.Key, nil
	}
	return sent.ID, "", err
}

// claimPush goes on from an approved push: exactly once, by the journey that
// asked.
func (f *flow) claimPush(ctx context.Context, tx *store.Tx) error {
	j := f.Journey
	answered, err := push.Claim(ctx, tx, j, j.PushID)
	if errors.Is(err, identity.Forbidden) || errors.Is(err, identity.Expired) {
		return nil // may not count any more, or came too late: the next prompt says so
	}
	if err != nil {
		return err
	}
	j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByPush, Authenticator: answered.ID, At: tx.Now()})
	return nil
}

// loadPush reads the push request the page waits for. A journey that waits for one
// that was sent to nobody sees one that nobody answers, with a number of its own
// (ENR-4).
func (f *flow) loadPush(ctx context.Context, r store.Reader) (err error) {
	j := f.Journey
	if j.PushID != "" {
		f.Request, err = push.LoadState(ctx, r, j.Tenant, j.PushID)
	} else {
		f.Request, err = pushToNobody(r, j, f.Presence, f.Rules.Push)
	}
	if f.Request.Outcome == "" && j.Proved() && !f.answerable(r.Now()) {
		f.Request.Outcome = store.PushUnreachable
	}
	f.Facts.PushOpen, f.Facts.Rejected = f.Request.Waiting(), f.Request.Outcome == store.PushNotMe
	return err
}

// answerable reports whether an app of the user can still approve the request that is
// open. One that met the check that it is asked for in too old an app waits in vain
// (PUSH-22), and so does one whose authenticator was switched off or revoked since.
func (f *flow) answerable(now time.Time) bool {
	return slices.ContainsFunc(f.Authenticators, func(a identity.Authenticator) bool {
		return policy.Reaches(a, f.Rules.Platforms, f.Request.Request.Presence, now)
	})
}

func pushToNobody(r store.Reader, j *identity.Journey, presence policy.Presence, rules policy.Push) (push.State, error) {
	s := push.State{Left: j.PushAt.Add(time.Duration(rules.Lifetime) * time.Second).Sub(r.Now())}
	s.Request.Presence = presence
	if s.Left <= 0 {
		s.Outcome, s.Left = store.PushExpired, 0
		return s, nil
	}
	// The same at each look, and nobody can tell it from a random one.
	mac, _, err := r.MAC(strconv.FormatInt(j.Pushes, 10), "nobody's number", j.ID)
	if digits := push.Digits(presence, rules); err == nil && digits > 0 {
		least := uint64(math.Pow10(digits - 1))
		s.Number = strconv.FormatUint(least+binary.BigEndian.Uint64(mac)%(9*least), 10)
	}
	return s, err
}

// cancelPush ends the request the journey waits for, if it still waits.
func (f *flow) cancelPush(ctx context.Context, tx *store.Tx) error {
	if f.Journey.PushID == "" {
		return nil
	}
	return push.Cancel(ctx, tx, f.Journey.Tenant, f.Journey.PushID)
}

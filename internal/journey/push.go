package journey

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// SendPush sends a push request: the first, or another. It is always a
// deliberate act on a page the person saw (PUSH-7).
//
// Before a password was proved nothing the page does may depend on whose name
// it is (ENR-4): the limits are counted by name, and a request that could not
// be sent is waited for like one that was.
func (e *Engine) SendPush(ctx context.Context, visit Visit, v *View, application string) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j, proved := v.Journey, v.Journey.Proved()
		v.rejectedHere()
		if proved && v.Facts.Push && !v.Facts.PushLockedUntil.IsZero() {
			j.Notice = "error.push.locked"
			return nil
		}
		if !v.Facts.Push || proved && v.Facts.PushTo == 0 {
			j.Notice = "error.choice.missing"
			return nil
		}
		spacing := time.Duration(v.Rules.Push.Spacing) * time.Second
		if wait := j.PushAt.Add(spacing).Sub(tx.Now()); !j.PushAt.IsZero() && wait > 0 {
			j.Notice = "error.push.wait"
			return nil
		}
		if j.Pushes >= v.Rules.Push.PerJourney {
			j.Notice = "error.push.limit"
			return nil
		}
		if !proved {
			err := tx.Allow(ctx, j.Tenant, store.Rate{Kind: "push by name", Max: 1, Per: spacing}, store.Hash(identity.FoldName(j.Name)))
			if errors.Is(err, identity.Throttled) {
				j.Notice = "error.push.wait"
				return nil
			}
			if err != nil {
				return err
			}
		}
		sent, problem := "", ""
		if v.Facts.PushTo > 0 && v.Facts.LockedUntil.IsZero() {
			var err error
			if sent, problem, err = e.sendPush(ctx, tx, visit, v, application); err != nil {
				return err
			}
		}
		if problem == "error.push.locked" && proved {
			v.dropResync(tx.Now())
			j.Method, j.PushID = "", "" // what was asked for before waits no more
		}
		if problem != "" && proved {
			j.Notice = problem
			return nil
		}
		if sent == "" {
			if err := e.dropPush(ctx, tx, j); err != nil {
				return err
			}
		}
		v.dropResync(tx.Now())
		j.PushID = sent
		j.Method, j.PushAt = identity.ByPush, tx.Now()
		j.Pushes++
		v.kept = true
		return nil
	}, Choose, PushOver, AskPasscode, WaitForPush, AskNextPasscode, AskPasskey, AskChallenge, AskRecoveryCode)
}

// sendPush starts the request, or says what keeps it from being sent.
func (e *Engine) sendPush(ctx context.Context, tx *store.Tx, visit Visit, v *View, application string) (id, problem string, err error) {
	sent, err := push.Start(ctx, tx, v.Journey, push.Shown{Application: application}, v.Presence, v.Rules.Push)
	if l, ok := errors.AsType[*push.Locked](err); ok && l.Now {
		err := directory.TellPushLocked(ctx, tx, v.Rules.Push.Alerts, v.User, l.Until, templates.Origin{IP: visit.Who.IP, Browser: v.Journey.Fingerprint, At: tx.Now()})
		return "", "error.push.locked", err
	}
	if refused, ok := errors.AsType[*identity.Error](err); ok && (refused.Kind == identity.Conflict || refused.Kind == identity.Throttled) {
		return "", refused.Key, nil
	}
	return sent.ID, "", err
}

// Claim goes on from an approved push: exactly once, by the journey that asked.
// While the request still waits, and when it ended otherwise, nothing changes
// and the view says so.
func (e *Engine) Claim(ctx context.Context, visit Visit, v *View) (*View, error) {
	if v.Step != WaitForPush || v.Request.Outcome != store.PushApproved {
		return v, nil
	}
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		answered, err := push.Claim(ctx, tx, j, j.PushID)
		if errors.Is(err, identity.Forbidden) || errors.Is(err, identity.Expired) {
			return nil // may not count any more, or came too late: the next page says so
		}
		if err != nil {
			return err
		}
		j.Passed = append(j.Passed, identity.Passed{Validation: identity.SecondFactor, Method: identity.ByPush, Authenticator: answered.ID, At: tx.Now()})
		return nil
	}, WaitForPush)
}

// request reads the push request the page waits for. A journey that waits for
// one nobody got sees one that nobody answers, with a number of its own
// (ENR-4).
func (e *Engine) request(ctx context.Context, r store.Reader, v *View) (err error) {
	j := v.Journey
	if j.PushID != "" {
		v.Request, err = push.Look(ctx, r, j.Tenant, j.PushID)
	} else {
		v.Request, err = nobodys(r, j, v.Presence, v.Rules.Push)
	}
	v.Facts.PushOpen = v.Request.Waiting()
	return err
}

func nobodys(r store.Reader, j *identity.Journey, presence policy.Presence, rules policy.Push) (push.State, error) {
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

// dropPush ends the request the journey waits for, if it still waits.
func (e *Engine) dropPush(ctx context.Context, tx *store.Tx, j *identity.Journey) error {
	if j.PushID == "" {
		return nil
	}
	return push.Cancel(ctx, tx, j.Tenant, j.PushID)
}

// rejectedHere leaves no further push to a journey whose last one was answered
// with *it wasn't me*: whoever goes on is not asked to deny it again (PUSH-14).
func (v *View) rejectedHere() {
	if v.Request.Outcome == store.PushNotMe {
		v.Journey.Pushes = v.Rules.Push.PerJourney
	}
}

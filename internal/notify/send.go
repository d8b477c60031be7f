package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Failure is the reason why a message was not delivered. The locale key of its
// text is "api.push." and the reason.
type Failure string

const (
	Gone        Failure = "gone"        // the push service no longer knows the subscription
	Refused     Failure = "refused"     // the push service rejects the message, or must not be called
	Busy        Failure = "busy"        // the push service is overloaded or limits this sender
	Unreachable Failure = "unreachable" // no answer, or the push service is out of order
	None        Failure = "none"        // there is no subscription
)

// An outgoing message has a message and its destination.
type outgoing struct {
	subscription store.PushSubscription
	topic        string
	message      []byte
	expires      time.Time
}

// A result is the result of sending a message. Without a failure, the push service
// has accepted it.
type result struct {
	failure Failure
	again   bool          // a retry may succeed
	after   time.Duration // minimum delay before the retry
}

// maxAnswer is the maximum number of bytes that are read of a push service's answer.
// Only its status and headers matter.
const maxAnswer = 16 << 10

// topic returns the topic of a message: at the push service, a newer message
// replaces an undelivered older one with the same topic (RFC 8030, section 5.4). It
// has at most 32 characters and does not reveal ids.
func topic(kind, authenticator string) string {
	sum := sha256.Sum256([]byte("latchkey topic " + kind + " " + authenticator))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// send sends a message to its push service (RFC 8030, section 5). It only returns
// errors of this server. Failures of the push service are in the result.
func (nt *Notifier) send(ctx context.Context, l outgoing) (result, error) {
	s, err := nt.DB.Subscriptions().Unseal(ctx, l.subscription)
	if err != nil {
		return result{}, err
	}
	// Fewer services may be allowed than when the app subscribed.
	origin, err := nt.Services.Origin(s.Endpoint)
	if err != nil {
		return result{failure: Refused}, nil
	}
	authorization, err := nt.authorization(ctx, origin)
	if err != nil {
		return result{}, err
	}
	body, err := s.Encrypt(l.message)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return result{failure: Refused}, nil
	}
	left := max(l.expires.Sub(nt.DB.Now()), time.Second)
	h := r.Header
	h.Set("Authorization", authorization)
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("TTL", strconv.FormatInt(int64(left/time.Second), 10))
	h.Set("Urgency", "high")
	h.Set("Topic", l.topic)
	answer, err := nt.Client.Do(r, maxAnswer)
	sent := classify(answer, err)
	if sent.failure != "" {
		// The endpoint is a capability, so only its host is logged.
		nt.Log.WarnContext(ctx, "notification not sent", "authenticator", l.subscription.Authenticator, "host", l.subscription.Host,
			"why", sent.failure, "status", answer.Status, "err", err, "again", sent.again)
	}
	return sent, nil
}

// classify converts a push service's answer into a result.
func classify(a outbound.Answer, err error) result {
	switch {
	case errors.Is(err, outbound.ErrRefused):
		return result{failure: Refused}
	case err != nil:
		return result{failure: Unreachable, again: true}
	case a.Status >= 200 && a.Status < 300:
		return result{}
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		return result{failure: Gone}
	case a.Status == http.StatusTooManyRequests:
		return result{failure: Busy, again: true, after: retryAfter(a.Header)}
	case a.Status >= 500:
		return result{failure: Unreachable, again: true, after: retryAfter(a.Header)}
	}
	return result{failure: Refused} // this includes redirects, which could lead to a service that is not allowed
}

// retryAfter reads the seconds of a Retry-After header (RFC 9110, section 10.2.3).
// It ignores a date: push services send seconds, and the default delay applies.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// Tokens are valid for twelve hours and reused for one. Apple requires that new ones
// are not made more often than that, and a token that is about to expire could expire
// on its way.
const (
	tokenLifetime = 12 * time.Hour
	tokenReuse    = time.Hour
	maxTokens     = 256 // number of origins; a wildcard service may have any number of hosts
)

// tokens caches Authorization headers by key and origin.
type tokens struct {
	mu sync.Mutex
	by map[string]token
}

type token struct {
	header string
	made   time.Time
}

// authorization returns the Authorization header for the push service of an origin.
func (nt *Notifier) authorization(ctx context.Context, origin string) (string, error) {
	public, _, err := nt.DB.VAPID().Public(ctx)
	if err != nil {
		return "", err
	}
	now := nt.DB.Now()
	name := string(public) + " " + origin
	nt.tokens.mu.Lock()
	defer nt.tokens.mu.Unlock()
	if t, ok := nt.tokens.by[name]; ok && now.Sub(t.made) < tokenReuse {
		return t.header, nil
	}
	key, err := nt.DB.VAPID().Key(ctx)
	if err != nil {
		return "", err
	}
	header, err := key.Authorization(origin, nt.Contact, now.Add(tokenLifetime))
	if err != nil {
		return "", err
	}
	if nt.tokens.by == nil || len(nt.tokens.by) >= maxTokens {
		nt.tokens.by = make(map[string]token)
	}
	nt.tokens.by[name] = token{header, now}
	return header, nil
}

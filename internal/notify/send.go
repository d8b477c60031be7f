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

// A Failure says in a word why a message did not leave. There is a text for
// each: api.push. and the word.
type Failure string

const (
	Gone        Failure = "gone"        // the push service no longer knows the subscription
	Refused     Failure = "refused"     // it will not have the message, or may not be called
	Busy        Failure = "busy"        // it has too much to do, or too much of us
	Unreachable Failure = "unreachable" // no answer, or that it is out of order
	None        Failure = "none"        // there is no subscription
)

// A letter is a message and where it goes.
type letter struct {
	subscription store.PushSubscription
	topic        string
	message      []byte
	expires      time.Time
}

// A result is what came of a letter; no failure means that the push service
// took it.
type result struct {
	failure Failure
	again   bool          // whether another try may help
	after   time.Duration // but not before this has passed
}

// maxAnswer is the most bytes of a push service's answer, which says nothing
// that its status does not.
const maxAnswer = 16 << 10

// topic names what a newer message replaces an older one of, at the push
// service and while it is undelivered (RFC 8030, section 5.4): at most 32
// characters, and none of our ids.
func topic(kind, authenticator string) string {
	sum := sha256.Sum256([]byte("latchkey topic " + kind + " " + authenticator))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// send hands a letter to its push service (RFC 8030, section 5). The error is
// ours alone; whatever the service does is in the result.
func (b *Bell) send(ctx context.Context, l letter) (result, error) {
	s, err := b.DB.Subscriptions().Unseal(ctx, l.subscription)
	if err != nil {
		return result{}, err
	}
	// Services may have been fewer than when the app subscribed.
	origin, err := b.Services.Origin(s.Endpoint)
	if err != nil {
		return result{failure: Refused}, nil
	}
	authorization, err := b.authorization(ctx, origin)
	if err != nil {
		return result{}, err
	}
	body, err := s.Encrypt(l.message)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return result{failure: Refused}, nil
	}
	left := max(l.expires.Sub(b.DB.Now()), time.Second)
	h := r.Header
	h.Set("Authorization", authorization)
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("TTL", strconv.FormatInt(int64(left/time.Second), 10))
	h.Set("Urgency", "high")
	h.Set("Topic", l.topic)
	answer, err := b.Client.Do(r, maxAnswer)
	sent := judge(answer, err)
	if sent.failure != "" {
		// The endpoint is a capability: its host is all that is said of it.
		b.Log.WarnContext(ctx, "notification not sent", "authenticator", l.subscription.Authenticator, "host", l.subscription.Host,
			"why", sent.failure, "status", answer.Status, "err", err, "again", sent.again)
	}
	return sent, nil
}

// judge reads a push service's answer.
func judge(a outbound.Answer, err error) result {
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
	return result{failure: Refused} // a redirect too: it would lead past our list
}

// retryAfter reads how many seconds to wait (RFC 9110, section 10.2.3). A date
// is passed over: push services send seconds, and our own pause stands behind.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// Tokens are made out for half a day, and used for an hour: Apple wants no new
// one more often, and one that is about to end might end on the way.
const (
	tokenLife = 12 * time.Hour
	tokenUse  = time.Hour
	maxTokens = 256 // origins; below an asterisk anybody may have names
)

// tokens are the authorizations in use, by key and origin.
type tokens struct {
	mu sync.Mutex
	by map[string]token
}

type token struct {
	header string
	made   time.Time
}

// authorization is the header by which the push service of an origin knows us.
func (b *Bell) authorization(ctx context.Context, origin string) (string, error) {
	public, _, err := b.DB.VAPID().Public(ctx)
	if err != nil {
		return "", err
	}
	now := b.DB.Now()
	name := string(public) + " " + origin
	b.tokens.mu.Lock()
	defer b.tokens.mu.Unlock()
	if t, ok := b.tokens.by[name]; ok && now.Sub(t.made) < tokenUse {
		return t.header, nil
	}
	key, err := b.DB.VAPID().Key(ctx)
	if err != nil {
		return "", err
	}
	header, err := key.Authorization(origin, b.Contact, now.Add(tokenLife))
	if err != nil {
		return "", err
	}
	if b.tokens.by == nil || len(b.tokens.by) >= maxTokens {
		b.tokens.by = make(map[string]token)
	}
	b.tokens.by[name] = token{header, now}
	return header, nil
}

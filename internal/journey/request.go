package journey

import (
	"encoding/json"
	"math"
	"time"
)

// A Request is what an application asks of a sign-in, in terms that all protocols
// share.
type Request struct {
	Payload    json.RawMessage `json:"payload"`     // what the protocol needs for its answer; comes back in the prompt
	ForceLogin bool            `json:"force_login"` // ForceAuthn, prompt=login: a whole new login
	Passive    bool            `json:"passive"`     // IsPassive, prompt=none: no page may be shown
	MaxAge     *int64          `json:"max_age"`     // seconds since the person last proved something; nil is any
	// FactorMaxAge is MaxAge for the second factor alone, in seconds; nil is any. The
	// password of a session stays good, or every page that wants to be sure who is
	// at the keyboard would ask for everything.
	FactorMaxAge *int64 `json:"factor_max_age,omitempty"`

	ACR        []string   `json:"acr"`                  // authentication contexts, best first; one of them must be reached
	Comparison Comparison `json:"comparison,omitempty"` // how what is reached may differ from those
	LoginHint  string     `json:"login_hint"`           // prefills the user name
	UILocales  string     `json:"ui_locales"`           // language tags separated by spaces
	// Once is the application's own name for the request, where its protocol
	// demands that none is answered twice. One of that name again, before
	// OnceUntil, when it is too old anyway, is a replay. Empty allows any.
	Once      string    `json:"-"`
	OnceUntil time.Time `json:"-"`
}

// freshAfter is the moment before which nothing proved counts.
func (r Request) freshAfter(now time.Time) time.Time {
	switch {
	case r.ForceLogin:
		return now
	case r.MaxAge != nil:
		return now.Add(-atMostSeconds(*r.MaxAge))
	}
	return time.Time{}
}

// atMostSeconds is a duration of n seconds, or the longest there is.
func atMostSeconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Second))) * time.Second
}

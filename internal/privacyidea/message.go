package privacyidea

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DeclineReason is the capability of saying why a request is declined.
const DeclineReason = "decline_reason"

// maxField is the most bytes of any field that is neither a key nor a
// signature.
const maxField = 256

// A Registration is what an app sends once, to become an authenticator.
type Registration struct {
	Credential string
	Serial     string
	Key        string // for ParseKey
}

// A Poll is an app that asks what waits for it.
type Poll struct {
	Serial       string
	Timestamp    string // as it was sent, since that is what was signed
	At           time.Time
	Signature    string
	Capabilities []string // what the app says it can; nobody signed it
}

// Signed is what the signature of a poll is over.
func (p Poll) Signed() string { return p.Serial + "|" + p.Timestamp }

// An Answer is what an app answers to a challenge.
type Answer struct {
	Serial    string
	Nonce     string // a hint: what was signed counts
	Signature string
	Decline   bool
	Reason    string // with Decline: UnknownTrigger, Cancelled, or none
	Presence  string // what was picked; empty where nothing was asked
}

// Reasons to decline.
const (
	UnknownTrigger = "unknown_trigger"
	Cancelled      = "cancelled"
)

// Signed is what the signature of an answer to the challenge of a nonce is over.
func (a Answer) Signed(nonce string) string {
	text := nonce + "|" + a.Serial
	if a.Decline {
		text += "|decline"
		if a.Reason != "" {
			text += "|" + a.Reason
		}
	}
	if a.Presence != "" {
		text += "|" + a.Presence
	}
	return text
}

// IsRegistration reports whether a posted form is a registration; else it is an
// answer.
func IsRegistration(form url.Values) bool { return form.Has("enrollment_credential") }

// ReadRegistration reads a registration. fbtoken, the app's name at a push
// service, and capabilities, which every poll brings anew, are passed over.
func ReadRegistration(form url.Values) (Registration, error) {
	r := Registration{Credential: form.Get("enrollment_credential"), Serial: form.Get("serial"), Key: form.Get("pubkey")}
	switch {
	case len(r.Credential) != 40 || strings.Trim(r.Credential, "0123456789abcdef") != "":
		return r, errors.New("privacyidea: enrollment_credential is not 40 hexadecimal digits")
	case r.Key == "":
		return r, errors.New("privacyidea: pubkey is needed")
	}
	return r, fields(form, "serial")
}

// ReadPoll reads a poll.
func ReadPoll(query url.Values) (Poll, error) {
	p := Poll{Serial: query.Get("serial"), Timestamp: query.Get("timestamp"), Signature: query.Get("signature")}
	if err := fields(query, "serial", "timestamp", "capabilities"); err != nil {
		return p, err
	}
	var err error
	if p.At, err = time.Parse(time.RFC3339, p.Timestamp); err != nil { // which takes parts of a second too
		return p, fmt.Errorf("privacyidea: timestamp: %w", err)
	}
	// A list that cannot be read is one of an app we do not know yet: it can
	// nothing, which no answer depends on.
	_ = json.Unmarshal([]byte(query.Get("capabilities")), &p.Capabilities)
	return p, nil
}

// ReadAnswer reads an answer. What was picked is digits, as all we offer is: the
// word "decline" there would let who is in between turn a plain denial, with its
// signature, into an approval.
func ReadAnswer(form url.Values) (Answer, error) {
	a := Answer{Serial: form.Get("serial"), Nonce: form.Get("nonce"), Signature: form.Get("signature"),
		Decline: slices.Contains([]string{"1", "true", "True"}, form.Get("decline")),
		Reason:  form.Get("decline_reason"), Presence: form.Get("presence_answer")}
	if strings.Trim(a.Presence, "0123456789") != "" {
		return a, errors.New("privacyidea: presence_answer is no number")
	}
	return a, fields(form, "serial", "nonce", "decline", "decline_reason", "presence_answer")
}

// fields refuses fields that are too long, are no printable ASCII, or hold what
// parts one from the next where they are signed; the first must be there.
func fields(form url.Values, names ...string) error {
	if form.Get(names[0]) == "" {
		return fmt.Errorf("privacyidea: %s is needed", names[0])
	}
	for _, name := range names {
		v := form.Get(name)
		if len(v) > maxField || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' || r == '|' }) {
			return fmt.Errorf("privacyidea: a %s that cannot be: %d bytes", name, len(v))
		}
	}
	return nil
}

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

// DeclineReason is the capability to give a reason for declining a request.
const DeclineReason = "decline_reason"

// maxField is the maximum number of bytes of a field that is neither a key nor a
// signature.
const maxField = 256

// A Registration is what an app sends once to register as an authenticator.
type Registration struct {
	Credential string
	Serial     string
	Key        string // to be read by ParseKey
}

// A Poll is an app's request for waiting challenges.
type Poll struct {
	Serial       string
	Timestamp    string // as it was sent, because this text is signed
	At           time.Time
	Signature    string
	Capabilities []string // what the app says it can do; not signed
}

// Signed returns the text that the signature of a poll covers.
func (p Poll) Signed() string { return p.Serial + "|" + p.Timestamp }

// An Answer is an app's answer to a challenge.
type Answer struct {
	Serial    string
	Nonce     string // only a hint; the signed nonce counts
	Signature string
	Decline   bool
	Reason    string // with Decline: UnknownTrigger, Cancelled or empty
	Presence  string // the number that was picked; empty without a presence check
}

// Values of Answer.Reason.
const (
	UnknownTrigger = "unknown_trigger"
	Cancelled      = "cancelled"
)

// Signed returns the text that the signature of an answer to this nonce covers.
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

// IsRegistration reports whether a posted form is a registration. Otherwise it is
// an answer.
func IsRegistration(form url.Values) bool { return form.Has("enrollment_credential") }

// ReadRegistration reads a registration. It ignores fbtoken, the app's address at a
// push service, and capabilities, which every poll contains again.
func ReadRegistration(form url.Values) (Registration, error) {
	r := Registration{Credential: form.Get("enrollment_credential"), Serial: form.Get("serial"), Key: form.Get("pubkey")}
	switch {
	case len(r.Credential) != 40 || strings.Trim(r.Credential, "0123456789abcdef") != "":
		return r, errors.New("privacyidea: enrollment_credential is not 40 hexadecimal digits")
	case r.Key == "":
		return r, errors.New("privacyidea: pubkey is needed")
	}
	return r, checkFields(form, "serial")
}

// ReadPoll reads a poll.
func ReadPoll(query url.Values) (Poll, error) {
	p := Poll{Serial: query.Get("serial"), Timestamp: query.Get("timestamp"), Signature: query.Get("signature")}
	if err := checkFields(query, "serial", "timestamp", "capabilities"); err != nil {
		return p, err
	}
	var err error
	if p.At, err = time.Parse(time.RFC3339, p.Timestamp); err != nil { // this layout accepts fractions of a second
		return p, fmt.Errorf("privacyidea: timestamp: %w", err)
	}
	// A list that cannot be read comes from an app that is not known yet. It then
	// has no capabilities, on which no answer depends.
	_ = json.Unmarshal([]byte(query.Get("capabilities")), &p.Capabilities)
	return p, nil
}

// ReadAnswer reads an answer. The picked number must consist of digits, as all
// numbers offered do. If it could be the word "decline", a man in the middle could
// turn a signed denial into an approval.
func ReadAnswer(form url.Values) (Answer, error) {
	a := Answer{Serial: form.Get("serial"), Nonce: form.Get("nonce"), Signature: form.Get("signature"),
		Decline: slices.Contains([]string{"1", "true", "True"}, form.Get("decline")),
		Reason:  form.Get("decline_reason"), Presence: form.Get("presence_answer")}
	if strings.Trim(a.Presence, "0123456789") != "" {
		return a, errors.New("privacyidea: presence_answer is no number")
	}
	return a, checkFields(form, "serial", "nonce", "decline", "decline_reason", "presence_answer")
}

// checkFields refuses fields that are too long, contain other than printable ASCII,
// or contain the separator of the signed text. The first field must be present.
func checkFields(form url.Values, names ...string) error {
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

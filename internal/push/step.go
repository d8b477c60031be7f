package push

import "github.com/latchkey-id/latchkey/internal/policy"

// A UserPresence is the step of a presence check as one side of it sees it, in
// the JSON that docs/protocol-authenticator.md fixes (PUSH-23): the browser is
// given the code to show, the phone what to ask for.
type UserPresence struct {
	Type      string    `json:"type"`     // USER_PRESENCE
	Executor  string    `json:"executor"` // BROWSER or PHONE
	Challenge Challenge `json:"challenge"`
}

// A Challenge is what a side of a presence check is given.
type Challenge struct {
	Type    string   `json:"type"`              // CODE or SUBMIT_CODE
	Code    string   `json:"code,omitempty"`    // with CODE
	Digits  int      `json:"digits,omitempty"`  // with SUBMIT_CODE: how many the code has
	Options []string `json:"options,omitempty"` // with SUBMIT_CODE: to pick from; absent where it is typed
}

// ForBrowser is the step of a request that waits, for the side that shows the
// number; nil where there is none to show, or no more.
func (s State) ForBrowser() *UserPresence {
	if s.Number == "" {
		return nil
	}
	return &UserPresence{Type: "USER_PRESENCE", Executor: "BROWSER", Challenge: Challenge{Type: "CODE", Code: s.Number}}
}

// ForPhone is the step of a presence check for the side that answers, with what
// it picks from, if it picks; nil where none is asked.
func ForPhone(presence policy.Presence, options []string) *UserPresence {
	if presence == policy.NoPresence {
		return nil
	}
	c := Challenge{Type: "SUBMIT_CODE", Digits: Digits(presence, policy.Push{}), Options: options}
	if len(options) > 0 {
		c.Digits = len(options[0])
	}
	return &UserPresence{Type: "USER_PRESENCE", Executor: "PHONE", Challenge: c}
}

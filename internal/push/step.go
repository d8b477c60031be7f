package push

import "github.com/latchkey-id/latchkey/internal/policy"

// A UserPresence is the step of a presence check for one of its two sides, in the
// JSON that docs/protocol-authenticator.md defines (PUSH-23). The browser gets the
// code to show. The phone gets what it must ask for.
type UserPresence struct {
	Type      string    `json:"type"`     // USER_PRESENCE
	Executor  string    `json:"executor"` // BROWSER or PHONE
	Challenge Challenge `json:"challenge"`
}

// A Challenge is the part of the step that one side executes.
type Challenge struct {
	Type    string   `json:"type"`              // CODE or SUBMIT_CODE
	Code    string   `json:"code,omitempty"`    // with CODE
	Digits  int      `json:"digits,omitempty"`  // with SUBMIT_CODE: number of digits of the code
	Options []string `json:"options,omitempty"` // with SUBMIT_CODE: options to pick from; absent if the code is typed
}

// ForBrowser returns the browser's step of a request, which shows the number. It is
// nil if there is no number to show.
func (s State) ForBrowser() *UserPresence {
	if s.Number == "" {
		return nil
	}
	return &UserPresence{Type: "USER_PRESENCE", Executor: "BROWSER", Challenge: Challenge{Type: "CODE", Code: s.Number}}
}

// ForPhone returns the phone's step of a presence check, with the options to pick
// from. It is nil if there is no presence check.
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

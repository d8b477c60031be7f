package policy

import "strings"

// Values of ServerPIN.Position: where the PIN stands that is typed with a passcode.
const (
	PINBefore = "before" // the passcode
	PINAfter  = "after"
)

// ServerPIN says what the PINs are like that users type together with a passcode
// and that the server checks (CRED-5, CRED-6). They consist of digits, because the
// input field brings up a numeric keyboard. Existing PINs remain valid.
type ServerPIN struct {
	MinLength   int64  `json:"least"` // digits
	MaxLength   int64  `json:"most"`
	Position    string `json:"position"`     // PINBefore or PINAfter; applies to existing PINs too
	ChangeFirst bool   `json:"change_first"` // a PIN set by an operator must be changed at its first use
	TrivialPINs bool   `json:"trivial_pins"` // trivial PINs are allowed
}

// DefaultServerPIN returns four to eight digits before the passcode.
func DefaultServerPIN() ServerPIN {
	return ServerPIN{MinLength: 4, MaxLength: 8, Position: PINBefore, ChangeFirst: true}
}

// Kind returns KindPIN.
func (ServerPIN) Kind() Kind { return KindPIN }

// Validate reports everything that is wrong.
func (p ServerPIN) Validate() error {
	var ps Problems
	ps.inRange("least", p.MinLength, 3, 15)
	ps.inRange("most", p.MaxLength, max(4, p.MinLength), 16)
	oneOf(&ps, "position", p.Position, PINBefore, PINAfter)
	return ps.err()
}

// MaxServerPIN is the maximum number of digits of any policy.
const MaxServerPIN = 16

// Problem returns why a PIN is refused, or "" if it is accepted. The PIN must be
// in the form that otp.Canonical returns.
func (p ServerPIN) Problem(pin string) PINProblem {
	rules := PINRules{PINLength: p.MinLength, Complexity: Decimal, TrivialPINs: p.TrivialPINs}
	switch {
	case strings.Trim(pin, "0123456789") != "":
		return PINCharacters
	case int64(len(pin)) > p.MaxLength:
		return PINLong
	}
	return rules.Problem(pin)
}

// Split separates the PIN from the passcode by the number of digits of the
// passcode. It cannot go by characters, because PINs consist of digits too.
func (p ServerPIN) Split(typed string, digits int) (pin, passcode string) {
	cut := len(typed) - digits
	switch {
	case cut < 0:
		return "", typed
	case p.Position == PINAfter:
		return typed[digits:], typed[:digits]
	}
	return typed[:cut], typed[cut:]
}

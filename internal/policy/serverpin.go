package policy

import "strings"

// Where a PIN stands that is typed together with a passcode.
const (
	PINBefore = "before" // the passcode
	PINAfter  = "after"
)

// ServerPIN says what the PINs are like that people type together with a passcode,
// and the server checks: of digits, as the field they are typed into brings up the
// keys of digits (CRED-5, CRED-6). Those that exist stay.
type ServerPIN struct {
	Least       int64  `json:"least"` // digits
	Most        int64  `json:"most"`
	Position    string `json:"position"`     // PINBefore or PINAfter, for all there are
	ChangeFirst bool   `json:"change_first"` // whether one that was handed out is changed at its first use
	TrivialPINs bool   `json:"trivial_pins"` // whether those are allowed
}

// DefaultServerPIN is of four to eight digits before the passcode.
func DefaultServerPIN() ServerPIN {
	return ServerPIN{Least: 4, Most: 8, Position: PINBefore, ChangeFirst: true}
}

// Kind returns KindPIN.
func (ServerPIN) Kind() Kind { return KindPIN }

// Validate reports all that is wrong.
func (p ServerPIN) Validate() error {
	var ps Problems
	ps.within("least", p.Least, 3, 15)
	ps.within("most", p.Most, max(4, p.Least), 16)
	oneOf(&ps, "position", p.Position, PINBefore, PINAfter)
	return ps.err()
}

// MaxServerPIN is the most digits a PIN may ever have.
const MaxServerPIN = 16

// Problem returns why a PIN is refused, or nothing if it is not. It is given as
// otp.Canonical returns it.
func (p ServerPIN) Problem(pin string) PINProblem {
	rules := PINRules{PINLength: p.Least, Complexity: Decimal, TrivialPINs: p.TrivialPINs}
	switch {
	case strings.Trim(pin, "0123456789") != "":
		return PINCharacters
	case int64(len(pin)) > p.Most:
		return PINLong
	}
	return rules.Problem(pin)
}

// Split takes what was typed apart, by how many digits the passcode has: the PIN
// may end, or begin, in digits that look like the passcode's.
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

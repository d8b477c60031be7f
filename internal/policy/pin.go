package policy

import "strings"

// Complexities of a PIN (CRED-6). With Decimal, letters are allowed too.
const (
	Decimal            = "decimal"
	StrongAlphanumeric = "strong" // an upper-case letter, a lower-case one and a digit
)

// MaxPIN is the maximum number of characters of a PIN.
const MaxPIN = 32

// PINRules are the requirements on a PIN that an app asks for (CRED-6). The
// server never sees such a PIN. Each app implements these rules itself, and
// policy/testdata/pins.json tests that all implementations agree.
type PINRules struct {
	PINLength   int64  `json:"pin_length"` // minimum number of characters
	Complexity  string `json:"complexity"`
	TrivialPINs bool   `json:"trivial_pins"` // trivial PINs are allowed
	Stricter    bool   `json:"stricter"`     // any run of three is refused; has no effect if trivial PINs are allowed
}

// DefaultPINRules returns the rules of a template that sets none.
func DefaultPINRules() PINRules { return PINRules{PINLength: 6, Complexity: Decimal} }

// A PINProblem says why a PIN is refused.
type PINProblem string

const (
	PINShort      PINProblem = "short"
	PINLong       PINProblem = "long"
	PINCharacters PINProblem = "characters" // contains other characters than ASCII letters and digits
	PINWeak       PINProblem = "weak"       // lacks the required complexity
	PINTrivial    PINProblem = "trivial"
	PINUsed       PINProblem = "used" // one of the last PINs of the authenticator, where the server can tell
)

// Problem returns why a PIN is refused, or "" if it is accepted. The PIN must be
// in the form that otp.Canonical returns, with ASCII digits.
//
// A PIN is trivial if all of it is one run: each character equals the one before,
// or is one above it, or is one below it. Letters are compared without case, and
// nothing follows 9 or z. 123682 and 321aaa contain runs but are not trivial; the
// stricter mode refuses them for their runs of three.
func (r PINRules) Problem(pin string) PINProblem {
	var upper, lower, digit bool
	for _, c := range []byte(pin) {
		switch {
		case '0' <= c && c <= '9':
			digit = true
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z':
			lower = true
		default:
			return PINCharacters
		}
	}
	longest := longestRun(strings.ToLower(pin))
	switch {
	case int64(len(pin)) < r.PINLength:
		return PINShort
	case len(pin) > MaxPIN:
		return PINLong
	case r.Complexity == StrongAlphanumeric && !(upper && lower && digit):
		return PINWeak
	case r.TrivialPINs:
		return ""
	case longest == len(pin), r.Stricter && longest >= 3:
		return PINTrivial
	}
	return ""
}

// longestRun returns the length of the longest run in a PIN.
func longestRun(pin string) int {
	longest := 0
	for _, step := range []int{0, 1, -1} {
		run := 0
		for i := range len(pin) {
			if i > 0 && int(pin[i])-int(pin[i-1]) == step {
				run++
			} else {
				run = 1
			}
			longest = max(longest, run)
		}
	}
	return longest
}

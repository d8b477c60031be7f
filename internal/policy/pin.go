package policy

import "strings"

// Complexities of a PIN (CRED-6). Decimal is a least: letters are legal too.
const (
	Decimal            = "decimal"
	StrongAlphanumeric = "strong" // an upper-case letter, a lower-case one and a digit
)

// MaxPIN is the most characters a PIN has.
const MaxPIN = 32

// PINRules are what a PIN must be like (CRED-6). The server never sees one: the
// apps hold these rules, each in its own code, and policy/testdata/pins.json
// holds the apps to one another.
type PINRules struct {
	PINLength   int64  `json:"pin_length"` // least characters
	Complexity  string `json:"complexity"`
	TrivialPINs bool   `json:"trivial_pins"` // whether those are allowed
	Stricter    bool   `json:"stricter"`     // refuses any run of three; meaningless where trivial ones are allowed
}

// DefaultPINRules are those of a template that sets none.
func DefaultPINRules() PINRules { return PINRules{PINLength: 6, Complexity: Decimal} }

// A PINProblem is why a PIN is refused.
type PINProblem string

const (
	PINShort      PINProblem = "short"
	PINLong       PINProblem = "long"
	PINCharacters PINProblem = "characters" // something else than letters and digits of ASCII
	PINWeak       PINProblem = "weak"       // not as complex as it must be
	PINTrivial    PINProblem = "trivial"
	PINUsed       PINProblem = "used" // one of the last that the authenticator had, where the server can tell
)

// Problem returns why a PIN is refused, or nothing if it is not. It is given as
// otp.Canonical returns it, so that digits of all scripts are ASCII's.
//
// A PIN is trivial if the whole of it is one run: each character the one before,
// or each one up from it, or each one down. Letters are compared without case,
// and nothing follows 9 or z. 123682 and 321aaa hold runs and are none; the
// stricter mode refuses them for the run of three in them.
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

// longestRun returns how many characters the longest run in a PIN has.
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

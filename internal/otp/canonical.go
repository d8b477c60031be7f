package otp

import (
	"strings"
	"unicode"
)

// maxTyped bounds what is read of a passcode field.
const maxTyped = 256

// Canonical returns what somebody typed or pasted for a passcode as the
// passcode it stands for (JRN-14). Apps show "123 456" and people copy what
// surrounds it, so spaces and dashes of all kinds and invisible marks (of
// direction, of width) are dropped; digits of any script become ASCII's.
// Whatever else there is stays and makes the passcode a wrong one. Something
// too long to be meant is empty; it is not cut, or a part of it could be right.
func Canonical(typed string) string {
	if len(typed) > maxTyped {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9':
			return r
		case unicode.In(r, unicode.White_Space, unicode.Pd, unicode.Cf), r == '\u2212': // minus sign
			return -1
		}
		if d, ok := digit(r); ok {
			return '0' + d
		}
		return r
	}, typed)
}

// digit returns the value of a decimal digit of any script. Unicode gives
// every script its ten in a row, from zero up, and promises to go on doing so
// (The Unicode Standard, section 4.6), so that a place in a row is a value.
func digit(r rune) (rune, bool) {
	for _, row := range unicode.Nd.R16 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return (r - rune(row.Lo)) % 10, true
		}
	}
	for _, row := range unicode.Nd.R32 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return (r - rune(row.Lo)) % 10, true
		}
	}
	return 0, false
}

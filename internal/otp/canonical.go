package otp

import (
	"strings"
	"unicode"
)

// maxTyped is the maximum number of bytes of a passcode field that are read.
const maxTyped = 256

// Canonical returns the passcode that somebody typed or pasted in its canonical
// form (JRN-14). Apps show "123 456" and people copy what surrounds it. Spaces
// and dashes of all kinds and invisible characters (of direction, of width) are
// therefore dropped, and digits of any script become ASCII digits. All other
// characters remain and make the passcode a wrong one. A text that is too long
// gives "". It is not cut, because a part of it could be right.
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

// digit returns the value of a decimal digit of any script. Unicode gives every
// script ten consecutive digits in ascending order and guarantees that this
// remains so (The Unicode Standard, section 4.6), so the position in the ten is
// the value.
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

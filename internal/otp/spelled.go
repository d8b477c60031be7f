package otp

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// crockford is Crockford's Base32 alphabet. It leaves out I, L and O, which look
// like digits, and U, to avoid obscene words.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewSpelled returns a random code of n characters for people to read and type, in
// its canonical form. Each character has five bits.
func NewSpelled(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = crockford[b[i]&31]
	}
	return string(b)
}

// ShowSpelled returns a code as it is displayed: in groups separated by dashes.
func ShowSpelled(code string, group int) string {
	var groups []string
	for code != "" {
		n := min(group, len(code))
		groups, code = append(groups, code[:n]), code[n:]
	}
	return strings.Join(groups, "-")
}

// CanonicalSpelled returns the canonical form of a code of n characters that
// somebody typed, or "" if it cannot be one. Groups, dashes and case do not
// matter, and letters that look like digits are read as digits.
func CanonicalSpelled(typed string, n int) string {
	if len(typed) > maxTyped {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		switch r = unicode.ToUpper(r); {
		case unicode.In(r, unicode.White_Space, unicode.Pd):
			return -1
		case r == 'O':
			return '0'
		case r == 'I', r == 'L':
			return '1'
		}
		return r
	}, typed)
	if len(code) != n || strings.Trim(code, crockford) != "" {
		return ""
	}
	return code
}

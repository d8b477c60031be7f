package enroll

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// crockford is Crockford's base32: no I, L, O, which look like digits, and no
// U, which makes words.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// shortCodeLength gives 40 bits: enough where ten guesses an hour are allowed
// and a code lives for minutes.
const shortCodeLength = 8

// newShortCode returns a random short code in its canonical form.
func newShortCode() string {
	b := make([]byte, shortCodeLength)
	rand.Read(b)
	for i := range b {
		b[i] = crockford[b[i]&31]
	}
	return string(b)
}

// showShortCode is how a short code is shown: XXXX-XXXX.
func showShortCode(code string) string {
	return code[:shortCodeLength/2] + "-" + code[shortCodeLength/2:]
}

// canonicalShortCode returns the short code somebody typed, or "" if it cannot
// be one.
func canonicalShortCode(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		switch r = unicode.ToUpper(r); {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r):
			return -1
		case r == 'O':
			return '0'
		case r == 'I', r == 'L':
			return '1'
		}
		return r
	}, typed)
	if len(code) != shortCodeLength || strings.Trim(code, crockford) != "" {
		return ""
	}
	return code
}

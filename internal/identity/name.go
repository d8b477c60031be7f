package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the maximum number of bytes of a user name, a group name and the like.
const MaxName = 256

// FoldName returns the form of a name that is used for lookups: trimmed, NFKC, case-folded. Names
// with the same form are the same name.
func FoldName(name string) string {
	return cases.Fold().String(norm.NFKC.String(strings.TrimSpace(name)))
}

// CleanTyped returns a name that somebody typed in a form that is safe to show elsewhere. It removes
// control and bidirectional formatting characters, which could make one name look like another on a
// phone or in a log, and truncates it to MaxName bytes.
func CleanTyped(name string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.TrimSpace(strings.ToValidUTF8(name, "")))
	if len(clean) <= MaxName {
		return clean
	}
	end := MaxName
	for !utf8.RuneStart(clean[end]) {
		end--
	}
	return clean[:end]
}

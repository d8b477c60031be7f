package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the most bytes a user name, group name or the like may have.
const MaxName = 256

// FoldName returns the form of a name under which it is looked up: trimmed,
// NFKC, case-folded. Two names that fold to the same form are one name.
func FoldName(name string) string {
	return cases.Fold().String(norm.NFKC.String(strings.TrimSpace(name)))
}

// CleanTyped returns a name as somebody typed it, fit to be shown elsewhere:
// without control and bidirectional formatting characters, which could make
// one name look like another on a phone or in a log, and cut to MaxName bytes.
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

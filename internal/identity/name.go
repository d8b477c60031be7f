package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the maximum number of bytes of a user name, a group name and the like.
const MaxName = 256

// FoldName returns the form of a name that is used for lookups: trimmed, NFKC, case-folded, without
// joiners. Names with the same form are the same name: who cannot type a joiner, or does not see it,
// means the same.
func FoldName(name string) string {
	return cases.Fold().String(norm.NFKC.String(strings.Map(func(r rune) rune {
		if isJoiner(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(name))))
}

// CleanTyped returns a name that somebody typed in a form that is safe to show elsewhere. It removes
// what could make one name look like another on a phone or in a log: control characters, bidirectional
// overrides and marks, and characters that are not seen. Joiners stay where their script writes them,
// as in Persian and in Indic names (RFC 5892, appendix A, which the free-form class of RFC 8264 goes
// by). It truncates the name to MaxName bytes.
func CleanTyped(name string) string {
	visible := strings.Map(func(r rune) rune {
		if isJoiner(r) || !deceives(r) {
			return r
		}
		return -1
	}, strings.TrimSpace(strings.ToValidUTF8(name, "")))
	if strings.ContainsFunc(visible, isJoiner) {
		visible = withoutStrayJoiners(visible)
	}
	if len(visible) <= MaxName {
		return visible
	}
	end := MaxName
	for !utf8.RuneStart(visible[end]) {
		end--
	}
	return strings.TrimRightFunc(visible[:end], isJoiner)
}

// deceives reports whether a character is not to be seen, or changes how others are seen. Variation
// selectors stay: names of people are written with them, and they change a character's shape alone.
func deceives(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp) ||
		unicode.Is(unicode.Noncharacter_Code_Point, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// isJoiner reports whether a character is the zero-width joiner or non-joiner, which say whether the
// letters beside them are written together.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// freeform knows where joiners may stand.
var freeform = precis.NewFreeform()

// withoutStrayJoiners removes the joiners of a text that stand where no script writes them, and of
// several beside one another all but the first. It reads as much of the text as a name may have.
func withoutStrayJoiners(text string) string {
	var letters []rune
	joiners := make(map[int]rune) // by the number of letters before them
	for _, r := range strings.ToValidUTF8(text[:min(len(text), 4*MaxName)], "") {
		if !isJoiner(r) {
			letters = append(letters, r)
		} else if _, second := joiners[len(letters)]; !second {
			joiners[len(letters)] = r
		}
	}
	var clean strings.Builder
	for i := range len(letters) + 1 {
		if joiner, ok := joiners[i]; ok {
			before, behind := lastLetter(letters[:i]), firstLetter(letters[i:])
			if _, err := freeform.String(before + string(joiner) + behind); err == nil {
				clean.WriteRune(joiner)
			}
		}
		if i < len(letters) {
			clean.WriteRune(letters[i])
		}
	}
	return clean.String()
}

// maxMarks is how many marks of a letter are looked at beside a joiner.
const maxMarks = 4

// lastLetter returns the last letter of a text with its marks.
func lastLetter(text []rune) string {
	from := len(text)
	for from > 0 && len(text)-from <= maxMarks {
		from--
		if !unicode.Is(unicode.Mn, text[from]) {
			break
		}
	}
	return string(text[from:])
}

// firstLetter returns the first letter of a text with the marks before it.
func firstLetter(text []rune) string {
	to := 0
	for to < len(text) && to <= maxMarks {
		to++
		if !unicode.Is(unicode.Mn, text[to-1]) {
			break
		}
	}
	return string(text[:to])
}

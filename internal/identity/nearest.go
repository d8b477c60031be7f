package identity

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the word that is the fewest letters away from what somebody
// wrote, if those are few enough for a slip of the hand, and else "". It is for
// the sentence "did you mean …?" where names are typed by those who may know
// them all; a stranger's name is never compared with anybody's.
func Nearest(written string, words []string) string {
	best, least := "", 1+utf8.RuneCountInString(written)/3
	if len(written) > 64 {
		return ""
	}
	for _, w := range words {
		if d := distance(strings.ToLower(written), strings.ToLower(w)); d <= least {
			best, least = w, d-1
		}
	}
	return best
}

// distance is how many letters must be put in, left out or changed to make b
// from a (Levenshtein's).
func distance(a, b string) int {
	letters := []rune(b)
	row := make([]int, len(letters)+1)
	for j := range row {
		row[j] = j
	}
	for i, letter := range []rune(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range letters {
			change := diagonal
			if letter != letters[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(letters)]
}

package identity

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the word with the smallest edit distance to what somebody wrote, or "" if none is
// near enough to be a typing error. It is for messages such as "did you mean …?" to people who may
// know all the words. User names typed in a login are never compared.
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

// distance returns the number of letters that must be inserted, removed or changed to turn a into b
// (Levenshtein distance).
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

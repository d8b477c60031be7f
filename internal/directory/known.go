package directory

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // by which lists of breached passwords are kept
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// words are what people build passwords of: English words and names (SCOWL, see
// docs/decisions/0009), and what else lists of the most common passwords begin
// with. Of lower-case letters, in order, a line each.
//
//go:embed words.gz
var wordsPacked []byte

// words unpacks them once, when the first password is chosen.
var words = sync.OnceValues(func() ([]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(wordsPacked))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	return strings.Fields(string(text)), err
})

// rows are keys and letters in an order that hands and heads fall into.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiopü", "azertyuiop", "asdfghjkl", "qsdfghjklm", "zxcvbnm", "yxcvbnm", "wxcvbn",
	"1qaz2wsx3edc4rfv5tgb6yhn", "!\"§$%&/()=", "!@#$%^&*()"}

// common reports whether a password is one that guesses begin with: a single word
// or name, with a few other characters before or behind it or in place of its
// letters; a run along the keyboard or the alphabet; or next to no different
// characters.
func common(password string) (bool, error) {
	folded := identity.FoldName(password)
	if monotonous(folded) {
		return true, nil
	}
	all, err := words()
	if err != nil {
		return false, fmt.Errorf("directory: list of common passwords: %w", err)
	}
	for _, word := range []string{folded, unmasked(folded)} {
		core := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) })
		if core == "" || len([]rune(word))-len([]rune(core)) > mostAround {
			continue
		}
		if i := sort.SearchStrings(all, core); i < len(all) && all[i] == core {
			return true, nil
		}
		if monotonous(core) {
			return true, nil
		}
	}
	return false, nil
}

// mostAround is how many characters around a word leave it a word: a year and a
// mark.
const mostAround = 5

// masks are characters that stand for letters.
var masks = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "8", "b", "@", "a", "$", "s", "!", "i", "€", "e")

// unmasked puts letters where others stand for them, but at the end, where they
// are more often a year.
func unmasked(s string) string {
	core := strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	return masks.Replace(core) + s[len(core):]
}

// monotonous reports whether a text is a run along one of the rows, either way,
// or has no more than two different characters.
func monotonous(s string) bool {
	different := map[rune]bool{}
	forward := []rune(s)
	backward := make([]rune, len(forward))
	for i, r := range forward {
		different[r] = true
		backward[len(forward)-1-i] = r
	}
	if len(different) <= 2 {
		return true
	}
	for _, row := range rows {
		if strings.Contains(row+row, s) || strings.Contains(row+row, string(backward)) {
			return true
		}
	}
	return false
}

// breached reports whether a password is in a file of breached ones: lines of
// SHA-1 in upper-case hexadecimal in order, as Have I Been Pwned gives them out,
// with a count behind a colon or not. It looks into the file where the line would
// stand, and reads no more.
func breached(path, password string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was read only
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", err)
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // see the import
	want := strings.ToUpper(hex.EncodeToString(sum[:]))
	var problem error
	// The first place from which the next line is not before the one wanted.
	at := sort.Search(int(info.Size()), func(i int) bool {
		line, err := lineAfter(f, int64(i))
		problem = errors.Join(problem, err)
		return line == "" || line >= want
	})
	if problem != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", problem)
	}
	line, err := lineAfter(f, int64(at))
	if err != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", err)
	}
	return line == want, nil
}

// lineAfter returns the hash of the first line that begins at a place or after
// it; empty at the end.
func lineAfter(f *os.File, at int64) (string, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, max(at-1, 0), 256), 256)
	if at > 0 {
		if _, err := r.ReadString('\n'); errors.Is(err, io.EOF) {
			return "", nil
		} else if err != nil {
			return "", err
		}
	}
	line, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	hash, _, _ := strings.Cut(strings.TrimSpace(line), ":")
	return strings.ToUpper(hash), nil
}

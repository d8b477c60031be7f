package directory

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1" // lists of breached passwords use it
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

// packedWords are the words that passwords are often built from: English words and names
// (SCOWL, see docs/decisions/0009) and the beginnings of lists of the most common passwords.
// They are in lower case, sorted, one per line.
//
//go:embed words.gz
var packedWords []byte

// commonWords unpacks them when the first password is chosen.
var commonWords = sync.OnceValues(func() ([]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(packedWords))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	return strings.Fields(string(text)), err
})

// keyRows are sequences of the keyboard and the alphabet that people type from left to right.
var keyRows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiopü", "azertyuiop", "asdfghjkl", "qsdfghjklm", "zxcvbnm", "yxcvbnm", "wxcvbn",
	"1qaz2wsx3edc4rfv5tgb6yhn", "!\"§$%&/()=", "!@#$%^&*()"}

// isCommon reports whether a password is common: a single word or name, with a few other
// characters around it or in place of its letters; a sequence of the keyboard or the
// alphabet; or at most two different characters.
func isCommon(password string) (bool, error) {
	folded := identity.FoldName(password)
	if isRun(folded) {
		return true, nil
	}
	all, err := commonWords()
	if err != nil {
		return false, fmt.Errorf("directory: list of common passwords: %w", err)
	}
	for _, word := range []string{folded, unsubstitute(folded)} {
		core := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) })
		if core == "" || len([]rune(word))-len([]rune(core)) > maxAround {
			continue
		}
		if i := sort.SearchStrings(all, core); i < len(all) && all[i] == core {
			return true, nil
		}
		if isRun(core) {
			return true, nil
		}
	}
	return false, nil
}

// maxAround is the maximum number of characters around a word: a year and a punctuation
// mark.
const maxAround = 5

// substitutions are characters that stand for letters.
var substitutions = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "8", "b", "@", "a", "$", "s", "!", "i", "€", "e")

// unsubstitute replaces such characters by their letters, except at the end, where they are
// more often a year.
func unsubstitute(s string) string {
	core := strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	return substitutions.Replace(core) + s[len(core):]
}

// isRun reports whether a text is part of one of the keyRows in either direction, or has at
// most two different characters.
func isRun(s string) bool {
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
	for _, row := range keyRows {
		if strings.Contains(row+row, s) || strings.Contains(row+row, string(backward)) {
			return true
		}
	}
	return false
}

// isBreached reports whether a password is in a file of breached passwords. The file has
// sorted lines of SHA-1 hashes in upper-case hexadecimal, optionally followed by a colon and
// a count, as published by Have I Been Pwned. It is searched by bisection.
func isBreached(path, password string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("directory: list of breached passwords: %w", err)
	}
	sum := sha1.Sum([]byte(password)) // see the import
	want := strings.ToUpper(hex.EncodeToString(sum[:]))
	var problem error
	// The first offset from which the next line is not before the wanted one.
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

// lineAfter returns the hash of the first line that begins at an offset or after it, or ""
// at the end of the file.
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

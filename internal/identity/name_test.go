package identity

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanTyped(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{" Berit.Lie\t", "Berit.Lie"},
		{"a\x00b\r\nc", "abc"},
		{"a\u202eb\u200bc", "abc"},
		{"a\xffb\ufffdc", "abc"},
		{strings.Repeat("a", MaxName), strings.Repeat("a", MaxName)},
		{strings.Repeat("a", MaxName+1), strings.Repeat("a", MaxName)},
		{"a" + strings.Repeat("é", MaxName), "a" + strings.Repeat("é", MaxName/2-1)},
		// Joiners stay between letters that are written with them, and nowhere else.
		{"علی\u200cرضا", "علی\u200cرضا"},           // Persian: two words in one name
		{"می\u200cخواهم", "می\u200cخواهم"},         // Persian
		{"क्\u200dष", "क्\u200dष"},                 // Devanagari, after a virama
		{"ශ්\u200dරීමතී", "ශ්\u200dරීමතී"},         // Sinhala: Srimathi
		{"ന\u200dമ", "നമ"},                         // Malayalam, after no virama
		{"anna\u200cberg", "annaberg"},             // Latin letters are not joined
		{"علی\u200c", "علی"},                       // nothing follows
		{"\u200cعلی", "علی"},                       // nothing is before
		{"علی\u200c\u200cرضا", "علی\u200cرضا"},     // the second is not seen
		{"علی\u200d\u200cرضا", "علیرضا"},           // a joiner needs a virama
		{"علی\u202e\u200cرضا", "علی\u200cرضا"},     // what lies between is removed first
		{"a\u2066b\u2069c\u061cd\u200ee", "abcde"}, // isolates and marks
		{"a\u3164\u115fb\u2028c\ufdd0d", "abcd"},   // fillers, a line separator, no character
		{"葛\U000e0100城", "葛\U000e0100城"},           // a variation of a Japanese name
		{"O’Néill-Ørsted 李 №5", "O’Néill-Ørsted 李 №5"},
	} {
		if got := CleanTyped(tt.typed); got != tt.want {
			t.Errorf("CleanTyped(%.20q) = %q, want %q", tt.typed, got, tt.want)
		}
	}
}

// The cleaned form of a name is safe: it has the form that it would be cleaned to, and what RFC 8264's
// free-form class refuses is not in it but for what has only a shape or no meaning yet.
func FuzzCleanTyped(f *testing.F) {
	for _, name := range []string{"علی\u200cرضا", "क्\u200dष", "a\u202eb", strings.Repeat("ي\u200c", 200), "\u200c\u200d", "\xe2\x80"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		clean := CleanTyped(typed)
		if CleanTyped(clean) != strings.TrimSpace(clean) || len(clean) > MaxName || !utf8.ValidString(clean) {
			t.Errorf("%q is cleaned to %q, and that to %q", typed, clean, CleanTyped(clean))
		}
		for i, r := range []rune(clean) {
			if deceives(r) && !isJoiner(r) || i == 0 && isJoiner(r) {
				t.Errorf("%q is cleaned to %q with %U", typed, clean, r)
			}
		}
		if strings.ContainsFunc(FoldName(clean), isJoiner) {
			t.Errorf("%q is looked up as %q", clean, FoldName(clean))
		}
	})
}

// Whether a name was typed with its joiners or without, it is the same.
func TestFoldName_Joiners(t *testing.T) {
	if with, without := FoldName("علی\u200cرضا"), FoldName("علیرضا"); with != without {
		t.Errorf("%q and %q are two names", with, without)
	}
}

// A form may be 64 KiB long. Truncating a name of that length must not take quadratic time, because
// anybody can send one repeatedly.
func TestTADM16_ALongNameIsCutAtOnce(t *testing.T) {
	long := strings.Repeat("a", 64<<10)
	if n := testing.AllocsPerRun(1, func() { CleanTyped(long) }); n > 100 {
		t.Errorf("%v allocations, want a handful", n)
	}
	// Each joiner is looked at, but no more of them than a name may have.
	joined := strings.Repeat("ي\u200c", 13<<10)
	if n := testing.AllocsPerRun(1, func() { CleanTyped(joined) }); n > 4*MaxName*10 {
		t.Errorf("%v allocations", n)
	}
}

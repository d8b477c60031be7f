package otp

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/runenames"
)

func TestJRN14_Canonical(t *testing.T) {
	for _, tt := range []struct{ name, typed, want string }{
		{"as it is", "123456", "123456"},
		{"as apps show it", "123 456", "123456"},
		{"pasted with what surrounds it", " \t123\u00a0456\r\n", "123456"},
		{"a narrow space", "123\u202f456", "123456"},
		{"dashes", "1-2\u20103\u20134\u20145\u22126", "123456"},
		{"a soft hyphen", "123\u00ad456", "123456"},
		{"marks of direction", "\u200f\u202a123\u2067456\u2069\u202c", "123456"},
		{"of no width", "\ufeff123\u200b456\u200d", "123456"},
		{"Arabic", "٠١٢٣٤٥٦٧٨٩", "0123456789"},
		{"Persian", "۰۱۲۳۴۵۶۷۸۹", "0123456789"},
		{"Devanagari", "०१२३४५६७८९", "0123456789"},
		{"Thai", "๐๑๒๓๔๕๖๗๘๙", "0123456789"},
		{"full width", "０１２３４５６７８９", "0123456789"},
		{"bold", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "0123456789"},
		{"letters stay", "12e456", "12e456"},
		{"other signs stay", "123.456", "123.456"},
		{"superscripts are no digits", "12345⁶", "12345⁶"},
		{"a trigger", "s", "s"},
		{"nothing", "", ""},
		{"blanks", " - ", ""},
		{"no UTF-8", "123\xff456", "123\ufffd456"},
		{"too long to be meant", "123456" + strings.Repeat(" ", 300), ""},
		{"too long, the end in doubt", "123456" + strings.Repeat(" ", 300) + "7", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Canonical(tt.typed); got != tt.want {
				t.Errorf("Canonical(%q) = %q, want %q", tt.typed, got, tt.want)
			}
		})
	}
}

// The Unicode names of the characters say which digit each is.
func TestJRN14_EveryScriptsDigits(t *testing.T) {
	names := []string{"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"}
	checked := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		name := runenames.Name(r)
		if !unicode.Is(unicode.Nd, r) || name == "" {
			continue
		}
		got := Canonical(string(r))
		if len(got) != 1 || got[0] < '0' || got[0] > '9' || !strings.HasSuffix(name, names[got[0]-'0']) {
			t.Errorf("%U, %s: got %q", r, name, got)
		}
		checked++
	}
	if checked < 600 {
		t.Errorf("only %d digits were checked", checked)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"123 456", "\u200f١٢٣-٤٥٦", "s", "\xff\xfe", "𝟎"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got := Canonical(typed)
		if len(got) > 3*len(typed) || len(typed) > maxTyped && got != "" {
			t.Errorf("%d bytes of %d", len(got), len(typed))
		}
		if len(got) <= maxTyped && Canonical(got) != got {
			t.Errorf("Canonical(%q) = %q, and again %q", typed, got, Canonical(got))
		}
	})
}

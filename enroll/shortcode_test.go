package enroll_test

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
)

func TestENR9a_ShortCodesAsTyped(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"7KQ2-M9XF", "7KQ2M9XF"},
		{" 7kq2 m9xf ", "7KQ2M9XF"},
		{"oil0-lO1i", "01101011"},
		{"7KQ2\u2013M9XF", "7KQ2M9XF"},
		{"7KQ2-M9X", ""},
		{"7KQ2-M9XFF", ""},
		{"7KQ2-M9XU", ""},
		{"٧KQ2-M9XF", ""},
		{"", ""},
		{strings.Repeat("7", 1000), ""},
	} {
		if got := enroll.CanonicalShortCode(tt.typed); got != tt.want {
			t.Errorf("CanonicalShortCode(%q) = %q, want %q", tt.typed, got, tt.want)
		}
	}
}

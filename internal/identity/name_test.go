package identity

import (
	"strings"
	"testing"
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
	} {
		if got := CleanTyped(tt.typed); got != tt.want {
			t.Errorf("CleanTyped(%.20q) = %q, want %q", tt.typed, got, tt.want)
		}
	}
}

// A form may be 64 KiB long. Truncating a name of that length must not take quadratic time, because
// anybody can send one repeatedly.
func TestTADM16_ALongNameIsCutAtOnce(t *testing.T) {
	long := strings.Repeat("a", 64<<10)
	if n := testing.AllocsPerRun(1, func() { CleanTyped(long) }); n > 100 {
		t.Errorf("%v allocations, want a handful", n)
	}
}

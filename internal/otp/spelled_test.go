package otp

import "testing"

func TestCanonicalSpelled(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"7KQM-24RT-0001-ZZZZ", "7KQM24RT0001ZZZZ"},
		{" 7kqm24rt ooil zzzz ", "7KQM24RT0011ZZZZ"},
		{"7KQM–24RT–0001–ZZZZ", "7KQM24RT0001ZZZZ"},
		{"٧KQM24RT0001ZZZZ", ""},
		{"7KQM24RT0001ZZZ", ""},
		{"7KQM24RT0001ZZZZZ", ""},
		{"7KQM24RT0001ZZZU", ""},
		{"", ""},
	} {
		if got := CanonicalSpelled(tt.typed, 16); got != tt.want {
			t.Errorf("CanonicalSpelled(%q) = %q, want %q", tt.typed, got, tt.want)
		}
	}
	for range 50 {
		code := NewSpelled(16)
		if shown := ShowSpelled(code, 4); len(shown) != 19 || CanonicalSpelled(shown, 16) != code {
			t.Errorf("%q is shown as %q", code, shown)
		}
	}
}

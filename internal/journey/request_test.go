package journey

import (
	"math"
	"testing"
	"time"
)

// The greatest ages an application can ask for are long ago, and not ahead. Fails with the
// bound of atMostSeconds taken out: the product of 9,300,000,000 and a second is a
// negative duration.
func TestJRN8_GreatestAges(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, age := range []int64{0, 300, 9_300_000_000, math.MaxInt64 / int64(time.Second), math.MaxInt64/int64(time.Second) + 1, math.MaxInt64 - 1, math.MaxInt64} {
		after := (Request{MaxAge: &age}).freshAfter(now)
		if after.After(now) || age > 0 && !after.Before(now) || age > 300 && after.Year() > 1800 {
			t.Errorf("max_age %d: what was proved before %s does not count", age, after)
		}
	}
}

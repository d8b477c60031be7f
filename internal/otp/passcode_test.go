package otp

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var rfcSecret = []byte("12345678901234567890")

// The vectors of RFC 4226, appendix D.
func TestHOTPVectors(t *testing.T) {
	want := []string{"755224", "287082", "359152", "969429", "338314",
		"254676", "287922", "162583", "399871", "520489"}
	for counter, code := range want {
		if got := HOTP(rfcSecret, Params{}, int64(counter)); got != code {
			t.Errorf("HOTP(%d) = %s, want %s", counter, got, code)
		}
	}
}

// The vectors of RFC 6238, appendix B. The secrets of the two longer hashes have
// the length of the hash, as in the RFC's reference implementation.
func TestTOTPVectors(t *testing.T) {
	long := []byte(strings.Repeat("1234567890", 7))
	secrets := map[Algorithm][]byte{SHA1: rfcSecret, SHA256: long[:32], SHA512: long[:64]}
	for _, tt := range []struct {
		unix int64
		want map[Algorithm]string
	}{
		{59, map[Algorithm]string{SHA1: "94287082", SHA256: "46119246", SHA512: "90693936"}},
		{1111111109, map[Algorithm]string{SHA1: "07081804", SHA256: "68084774", SHA512: "25091201"}},
		{1111111111, map[Algorithm]string{SHA1: "14050471", SHA256: "67062674", SHA512: "99943326"}},
		{1234567890, map[Algorithm]string{SHA1: "89005924", SHA256: "91819424", SHA512: "93441116"}},
		{2000000000, map[Algorithm]string{SHA1: "69279037", SHA256: "90698825", SHA512: "38618901"}},
		{20000000000, map[Algorithm]string{SHA1: "65353130", SHA256: "77737706", SHA512: "47863826"}},
	} {
		for algorithm, want := range tt.want {
			p := Params{Digits: 8, Period: 30, Algorithm: algorithm}
			if got := TOTP(secrets[algorithm], p, time.Unix(tt.unix, 0)); got != want {
				t.Errorf("TOTP(%s, %d) = %s, want %s", algorithm, tt.unix, got, want)
			}
		}
	}
}

// Compares with another implementation, where it is installed.
func TestTOTPAgreesWithOathtool(t *testing.T) {
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512} {
		secret := NewSecret(algorithm)
		for _, digits := range []int{6, 8} {
			for _, period := range []int64{30, 60} {
				p := Params{digits, period, algorithm}
				for _, unix := range []int64{0, 59, 1767323045, 1<<32 + 12345} {
					out, err := exec.CommandContext(t.Context(), oathtool, "--totp="+strings.ToLower(string(algorithm)),
						fmt.Sprintf("--digits=%d", digits), fmt.Sprintf("--time-step-size=%ds", period),
						fmt.Sprintf("--now=@%d", unix), hex.EncodeToString(secret)).Output()
					if err != nil {
						t.Fatal(err)
					}
					if got, want := TOTP(secret, p, time.Unix(unix, 0)), strings.TrimSpace(string(out)); got != want {
						t.Errorf("%+v at %d: got %s, oathtool says %s", p, unix, got, want)
					}
				}
			}
		}
	}
}

func TestCRED10_MatchWindows(t *testing.T) {
	now := time.Unix(1767323045, 0)
	for _, p := range []Params{{}, {Digits: 8, Period: 60, Algorithm: SHA256}} {
		here := Step(p, now)
		for _, tt := range []struct {
			name                 string
			drift, window, shown int64 // shown is the step of the passcode, from now
			want                 bool
		}{
			{"this one", 0, 1, 0, true},
			{"the one before", 0, 1, -1, true},
			{"the next", 0, 1, 1, true},
			{"two before", 0, 1, -2, false},
			{"two ahead", 0, 1, 2, false},
			{"no window", 0, 0, 0, true},
			{"no window, the next", 0, 0, 1, false},
			{"a negative window is none", 0, -5, 1, false},
			{"a slow clock, learned", -4, 1, -5, true},
			{"a slow clock, no longer slow", -4, 1, 0, false},
			{"a fast clock, learned", 7, 1, 8, true},
			{"the outer window", 0, 10, -10, true},
			{"behind the outer window", 0, 10, -11, false},
			{"a window too wide is cut", 0, 1 << 40, MaxWindow + 1, false},
			{"a drift nobody learned", maxDrift + 1, 1, maxDrift + 1, false},
			{"a drift nobody learned, backwards", -maxDrift - 1, 1, -maxDrift - 1, false},
			{"a drift at the end of numbers", -1 << 63, 1, 0, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				code := HOTP(rfcSecret, p, here+tt.shown)
				step, ok := Match(rfcSecret, p, code, now, tt.drift, tt.window)
				if ok != tt.want || ok && step != here+tt.shown {
					t.Errorf("got step %+d, %t, want %+d, %t", step-here, ok, tt.shown, tt.want)
				}
			})
		}
	}
}

// If two steps have the same passcode, the newer one is used up. Otherwise the
// passcode could be used once more.
func TestCRED9_TheNewestStepIsMatchedFirst(t *testing.T) {
	seen := make(map[string]int64)
	for step := int64(1); ; step++ {
		code := HOTP(rfcSecret, Params{}, step)
		older, twice := seen[code]
		if !twice || step-older > 2*MaxWindow {
			seen[code] = step
			continue
		}
		middle := (older + step) / 2
		got, ok := Match(rfcSecret, Params{}, code, time.Unix(middle*30, 0), 0, step-older)
		if !ok || got != step {
			t.Errorf("steps %d and %d have passcode %s: got %d, %t, want the newer", older, step, code, got, ok)
		}
		return
	}
}

func TestCRED10_MatchCounter(t *testing.T) {
	for _, tt := range []struct {
		name              string
		next, ahead, used int64
		want              bool
	}{
		{"the next", 5, 3, 5, true},
		{"three pressed in vain", 5, 3, 8, true},
		{"four", 5, 3, 9, false},
		{"one used before", 5, 3, 4, false},
		{"the first", 0, 0, 0, true},
		{"a negative look-ahead is none", 5, -1, 5, true},
		{"a look-ahead too far is cut", 0, 1 << 40, MaxWindow + 1, false},
		{"a damaged counter", -1, 3, 0, false},
		{"a damaged counter", 1<<63 - 1, 3, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := MatchCounter(rfcSecret, Params{}, HOTP(rfcSecret, Params{}, tt.used), tt.next, tt.ahead)
			if ok != tt.want || ok && got != tt.used {
				t.Errorf("got %d, %t, want %d, %t", got, ok, tt.used, tt.want)
			}
		})
	}
}

// A passcode that cannot be made must match nothing, in particular no empty field.
func TestNothingMatchesWhatCannotBeMade(t *testing.T) {
	now := time.Unix(1767323045, 0)
	for name, tt := range map[string]struct {
		secret []byte
		params Params
		at     time.Time
	}{
		"no secret":        {nil, Params{}, now},
		"seven digits":     {rfcSecret, Params{Digits: 7}, now},
		"no digits":        {rfcSecret, Params{Digits: -1}, now},
		"a second's step":  {rfcSecret, Params{Period: 1}, now},
		"a step backwards": {rfcSecret, Params{Period: -30}, now},
		"MD5":              {rfcSecret, Params{Algorithm: "MD5"}, now},
		"before 1970":      {rfcSecret, Params{}, time.Unix(-3600, 0)},
	} {
		made := TOTP(tt.secret, tt.params, tt.at)
		if made != "" {
			t.Errorf("%s: made %q", name, made)
		}
		for _, code := range []string{"", made, "000000"} {
			if _, ok := Match(tt.secret, tt.params, code, tt.at, 0, 1); ok {
				t.Errorf("%s: %q matches a step", name, code)
			}
			if _, ok := MatchCounter(nil, tt.params, code, 0, 3); ok {
				t.Errorf("%s: %q matches a counter", name, code)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("secret"), "287082", int64(59), int64(0), int64(1), 6, int64(30), "SHA1")
	f.Add(rfcSecret, "94287082", int64(59), int64(-3), int64(10), 8, int64(60), "SHA512")
	f.Fuzz(func(t *testing.T, secret []byte, code string, unix, drift, window int64, digits int, period int64, algorithm string) {
		p := Params{digits, period, Algorithm(algorithm)}
		now := time.Unix(unix, 0)
		step, ok := Match(secret, p, code, now, drift, window)
		if !ok {
			return
		}
		if got := HOTP(secret, p, step); got != code {
			t.Errorf("accepted %q at step %d, whose passcode is %q", code, step, got)
		}
		if d := step - Step(p, now) - drift; max(d, -d) > max(window, 0) || max(d, -d) > MaxWindow {
			t.Errorf("step %d is %d steps away, window %d", step, d, window)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	now := time.Unix(1767323045, 0)
	for b.Loop() {
		Match(rfcSecret, Params{}, "000000", now, 0, 1)
	}
}

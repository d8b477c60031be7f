package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/otp"
)

// A bench that takes any token for a login measures nothing.
func TestCheck(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rp := &relying{party: party{id: "app_1"}, issuer: "http://127.0.0.1/t/bench", keys: map[string]*ecdsa.PublicKey{"key_1": &key.PublicKey}}
	anna := &person{id: "usr_anna"}
	good := map[string]any{"iss": rp.issuer, "sub": "usr_anna", "aud": []string{"app_1"}, "nonce": "n", "exp": time.Now().Unix() + 60}
	for _, tt := range []struct {
		name   string
		change map[string]any
		key    string
		spoil  bool
		fine   bool
	}{
		{"as it should be", nil, "key_1", false, true},
		{"one audience", map[string]any{"aud": "app_1"}, "key_1", false, true},
		{"another person", map[string]any{"sub": "usr_bert"}, "key_1", false, false},
		{"another application", map[string]any{"aud": []string{"app_2"}}, "key_1", false, false},
		{"another login", map[string]any{"nonce": "m"}, "key_1", false, false},
		{"another issuer", map[string]any{"iss": "http://127.0.0.1/t/other"}, "key_1", false, false},
		{"too old", map[string]any{"exp": time.Now().Unix() - 60}, "key_1", false, false},
		{"a key nobody published", nil, "key_2", false, false},
		{"a signature of something else", nil, "key_1", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said := make(map[string]any)
			for _, from := range []map[string]any{good, tt.change} {
				for name, value := range from {
					said[name] = value
				}
			}
			token := signed(t, key, map[string]any{"alg": "ES256", "kid": tt.key}, said)
			if tt.spoil {
				other := signed(t, key, map[string]any{"alg": "ES256", "kid": tt.key}, map[string]any{})
				token = token[:strings.LastIndexByte(token, '.')] + other[strings.LastIndexByte(other, '.'):]
			}
			if err := rp.check(token, "n", anna); (err == nil) != tt.fine {
				t.Errorf("check: %v, want fine %t", err, tt.fine)
			}
		})
	}
}

func signed(t *testing.T, key *ecdsa.PrivateKey, header, body map[string]any) string {
	t.Helper()
	var parts []string
	for _, part := range []map[string]any{header, body} {
		raw, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(raw))
	}
	input := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Nobody is asked for a passcode twice in a step.
func TestCrowd(t *testing.T) {
	c := &crowd{waiting: []*person{{name: "anna"}, {name: "bert"}}}
	for range 2 {
		p, done, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		p.used = otp.Step(otp.Params{}, time.Now()) + 1 // whatever the clock does meanwhile
		done()
	}
	if p, _, err := c.next(); err == nil {
		t.Errorf("%s signs in twice in a step", p.name)
	}
	c.waiting[0].used = 0
	if p, _, err := c.next(); err != nil || p.name != "anna" {
		t.Errorf("a step later: %v, want anna", err)
	}
}

func TestMeter(t *testing.T) {
	times := 0
	m := meter(t.Context(), time.Nanosecond, []act{
		func() (time.Duration, error) { return time.Second, nil },
		func() (time.Duration, error) { return 0, errors.New("refused") },
		func() (time.Duration, error) {
			if times++; times > 1 {
				return 0, errNobody
			}
			return 3 * time.Second, nil
		},
	})
	slices.Sort(m.each)
	if m.failed != 1 || len(m.errors) != 1 || !slices.Equal(m.each, []time.Duration{time.Second, 3 * time.Second}) {
		t.Errorf("read %+v, want one failure and 1 s and 3 s", m)
	}
	for q, want := range map[float64]time.Duration{0: time.Second, 0.49: time.Second, 0.5: 3 * time.Second, 1: 3 * time.Second} {
		if got := m.quantile(q); got != want {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
}

// What an operator is shown as missed is missed.
func TestJudge(t *testing.T) {
	run := Run{Machine: Machine{Cores: 2}, ReadyMS: 499, IdleMiB: 61, Rows: []Row{
		{Scenario: "passcode", Done: 1, ServerMS: 4, PeakMiB: 70},
		{Scenario: "fresh", Done: 1, ServerMS: 24, PerSecond: 90, AlonePerSecond: 100, AloneMS: 20},
		{Scenario: "crowd", Done: 1, PeakMiB: 120, Failed: 1},
		{Scenario: "silent", Done: 1, PerCore: 399},
		{Scenario: "saml", Done: 1, ServerMS: 4, AloneMS: 1.4},
		{Scenario: "refresh", Done: 1, PerCore: 1000},
		{Scenario: "push", Done: 1, MedianMS: 100},
	}}
	run.judge()
	want := []bool{true, true, false, true, false, true, false, true, true, false, true, false}
	var got []bool
	for _, target := range run.Targets {
		got = append(got, target.Met)
	}
	if !slices.Equal(got, want) {
		t.Errorf("met %v, want %v:\n%+v", got, want, run.Targets)
	}
}

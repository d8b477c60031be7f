package privacyidea

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, KeyBits)
	if err != nil {
		panic(err)
	}
	return key
})

func spki(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestPUSH24_KeysAsAppsSendThem(t *testing.T) {
	want := &testKey().PublicKey
	text := spki(t, want)
	for name, sent := range map[string]string{
		"standard":           text,
		"for addresses":      strings.NewReplacer("+", "-", "/", "_").Replace(text),
		"without padding":    strings.TrimRight(text, "="),
		"blanks for pluses":  strings.ReplaceAll(text, "+", " "),
		"broken into lines":  text[:76] + "\r\n" + text[76:],
		"as the server kept": KeyText(want),
	} {
		got, err := ParseKey(sent)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The guard is the check of length and exponent.
func TestPUSH24_KeysThatAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := testKey().PublicKey
	weak.E = 3
	for name, sent := range map[string]string{
		"2048 bits": spki(t, &small.PublicKey), "exponent 3": spki(t, &weak), "a curve": spki(t, &curve.PublicKey),
		"nothing": "", "no Base64": "%%%", "no DER": "AAAA", "PKCS #1": ServerKeyText(&testKey().PublicKey),
		"too long": strings.Repeat("A", maxKeyText+1),
	} {
		if key, err := ParseKey(sent); err == nil {
			t.Errorf("%s: taken as %d bits", name, key.N.BitLen())
		}
	}
}

func TestPUSH24_Signatures(t *testing.T) {
	key := testKey()
	signature, err := Sign(key, "LK-1|now")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := base32.StdEncoding.DecodeString(signature); err != nil || len(raw) != KeyBits/8 {
		t.Errorf("signature of %d bytes, %v", len(raw), err)
	}
	for _, s := range []string{signature, strings.TrimRight(signature, "=")} {
		if err := Verify(&key.PublicKey, "LK-1|now", s); err != nil {
			t.Error(err)
		}
	}
	for name, s := range map[string]string{"empty": "", "small letters": strings.ToLower(signature), "cut": signature[:800],
		"another": "B" + signature[1:], "longer": signature + "A"} {
		if Verify(&key.PublicKey, "LK-1|now", s) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if Verify(&key.PublicKey, "LK-1|then", signature) == nil {
		t.Error("taken for another text")
	}
}

func TestPUSH24_EnrollmentLink(t *testing.T) {
	got := Enrollment{Address: "https://id.example.org/t/demo/ttype/push", Issuer: "Example: Hospital & Söhne", Account: "anna.berg", Serial: "LK-7Q2M-4KXD",
		Credential: "9311ee50678983c0f29d3d843f86e39405e2b427", Lifetime: 9*time.Minute + time.Second}.URI()
	const want = "otpauth://pipush/anna.berg?url=https%3A%2F%2Fid.example.org%2Ft%2Fdemo%2Fttype%2Fpush&ttl=10&issuer=Example%20%20Hospital%20%26%20S%C3%B6hne" +
		"&enrollment_credential=9311ee50678983c0f29d3d843f86e39405e2b427&v=1&serial=LK-7Q2M-4KXD&sslverify=1&poll_only=True"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if a, b := NewCredential(), NewCredential(); len(a) != 40 || a == b {
		t.Errorf("credentials %s and %s", a, b)
	}
}

func TestPUSH24_WhatIsSigned(t *testing.T) {
	for _, tt := range []struct {
		answer Answer
		want   string
	}{
		{Answer{}, "N|S"},
		{Answer{Presence: "47"}, "N|S|47"},
		{Answer{Decline: true}, "N|S|decline"},
		{Answer{Decline: true, Reason: Cancelled}, "N|S|decline|cancelled"},
		{Answer{Decline: true, Reason: UnknownTrigger, Presence: "47"}, "N|S|decline|unknown_trigger|47"},
		{Answer{Reason: Cancelled}, "N|S"}, // a reason to decline without declining is none
	} {
		tt.answer.Serial = "S"
		if got := tt.answer.Signed("N"); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.answer, got, tt.want)
		}
	}
}

// If one signature could be read in two ways, a man in the middle could turn one
// answer into another. The guards are the check for a "|" and the one for digits.
func TestPUSH24_FieldsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", maxField+1)
	for _, form := range []url.Values{
		{}, {"serial": {""}}, {"serial": {long}}, {"serial": {"S|decline"}}, {"serial": {"S\x00"}}, {"serial": {"Sé"}},
		{"serial": {"S"}, "nonce": {"N|S"}}, {"serial": {"S"}, "presence_answer": {"4|7"}}, {"serial": {"S"}, "presence_answer": {"decline"}},
		{"serial": {"S"}, "decline": {"1"}, "decline_reason": {"cancelled|47"}},
	} {
		if got, err := ReadAnswer(form); err == nil {
			t.Errorf("%v read as %+v", form, got)
		}
	}
	for _, query := range []url.Values{
		{"serial": {"S"}, "timestamp": {""}}, {"serial": {"S"}, "timestamp": {"1700000000"}}, {"serial": {"S"}, "timestamp": {"2026-11-22T20:45:00"}},
		{"serial": {"S"}, "timestamp": {"2026-11-22T20:45:00Z"}, "capabilities": {long}},
	} {
		if got, err := ReadPoll(query); err == nil {
			t.Errorf("%v read as %+v", query, got)
		}
	}
	for _, form := range []url.Values{
		{"enrollment_credential": {""}, "serial": {"S"}, "pubkey": {"K"}},
		{"enrollment_credential": {strings.Repeat("G", 40)}, "serial": {"S"}, "pubkey": {"K"}},
		{"enrollment_credential": {strings.Repeat("a", 40)}, "serial": {"S"}},
		{"enrollment_credential": {strings.Repeat("a", 40)}, "pubkey": {"K"}},
	} {
		if got, err := ReadRegistration(form); err == nil {
			t.Errorf("%v read as %+v", form, got)
		}
	}
}

func TestPUSH24_Polls(t *testing.T) {
	p, err := ReadPoll(url.Values{"serial": {"S"}, "timestamp": {"2026-11-22T20:45:00.123456Z"}, "signature": {"X"}, "capabilities": {`["decline_reason"]`}})
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 22, 20, 45, 0, 123456000, time.UTC); !p.At.Equal(want) || p.Signed() != "S|2026-11-22T20:45:00.123456Z" ||
		len(p.Capabilities) != 1 || p.Capabilities[0] != DeclineReason {
		t.Errorf("read as %+v", p)
	}
	if p, err := ReadPoll(url.Values{"serial": {"S"}, "timestamp": {"2026-11-22T20:45:00Z"}, "capabilities": {`{"new":1}`}}); err != nil || len(p.Capabilities) != 0 {
		t.Errorf("capabilities of another shape: %+v, %v", p, err)
	}
}

// The guard is the replacement of "|" in texts. Without it a user name could move
// words from the question into the title.
func TestPUSH24_ChallengeIsSignedOneWay(t *testing.T) {
	key := testKey()
	c := Challenge{Nonce: EncodeNonce("nonce"), Address: "https://id.example.org/t/demo/ttype/push", Serial: "LK-1", Title: "Pay|roll",
		Question: "As mallory|Harmless|1?", Presence: []string{"17", "83", "42"}, Reasons: true}
	data, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	text := c.Nonce + "|" + c.Address + "|LK-1|As mallory/Harmless/1?|Pay/roll|1|17,83,42"
	if err := Verify(&key.PublicKey, text, got["signature"]); err != nil || got["version"] != "2" || got["require_presence"] != "17,83,42" {
		t.Errorf("%v: %v", got, err)
	}
	if err := Verify(&key.PublicKey, `{"capabilities":["decline_reason"],"nonce":"`+c.Nonce+`"}`, got["capabilities_signature"]); err != nil {
		t.Error(err)
	}
	plain, err := Challenge{Nonce: "N", Address: "A", Serial: "S", Title: "T", Question: "Q"}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := json.Unmarshal(plain, &got); err != nil || len(got) != 7 {
		t.Errorf("a plain challenge has the fields %v, %v", got, err)
	}
	if err := Verify(&key.PublicKey, "N|A|S|Q|T|1", got["signature"]); err != nil {
		t.Error(err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(KeyText(&testKey().PublicKey))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			return
		}
		if again, err := ParseKey(KeyText(key)); err != nil || !again.Equal(key) {
			t.Errorf("%q: read back: %v", text, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("serial=S&nonce=N&signature=X&decline=1&decline_reason=cancelled&presence_answer=47")
	f.Add("serial=S&timestamp=2026-11-22T20%3A45%3A00Z&signature=X&capabilities=%5B%5D")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if a, err := ReadAnswer(form); err == nil && strings.Count(a.Signed("N"), "|") > 4 {
			t.Errorf("%q signs %q", query, a.Signed("N"))
		}
		if p, err := ReadPoll(form); err == nil && (p.At.IsZero() && p.Timestamp == "" || strings.Count(p.Signed(), "|") != 1) {
			t.Errorf("%q signs %q", query, p.Signed())
		}
		_, _ = ReadRegistration(form)
	})
}

package webpush

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
)

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 8291, section 5 and appendix A, byte for byte.
func TestPUSH25_TheStandardsExample(t *testing.T) {
	ours, err := ecdh.P256().NewPrivateKey(decode(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	s := Subscription{P256DH: decode(t, "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
		Auth: decode(t, "BTBZMqHH6r4Tts7J_aSIgg")}
	got, err := s.encrypt([]byte("When I grow up, I want to be a watermelon"), 0, ours, decode(t, "DGv6ra1nlYgDCS1FRnbzlw"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6" +
		"cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if encodeBase64(got) != want {
		t.Errorf("got  %s\nwant %s", encodeBase64(got), want)
	}
}

// A push service accepts 4096 bytes at most, and cannot distinguish messages of
// similar length.
func TestPUSH25_LengthsTellLittle(t *testing.T) {
	browser, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := Subscription{P256DH: browser.PublicKey().Bytes(), Auth: make([]byte, authSize)}
	lengths := make(map[int]bool)
	for n := range MaxMessage + 1 {
		out, err := s.Encrypt([]byte(strings.Repeat("x", n)))
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > 4096 {
			t.Fatalf("%d bytes become %d", n, len(out))
		}
		lengths[len(out)] = true
	}
	if len(lengths) != 8 {
		t.Errorf("%d lengths, want 8", len(lengths))
	}
	if _, err := s.Encrypt(make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message of more than a record was encrypted")
	}
}

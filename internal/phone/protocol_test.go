package phone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// examples are the examples of the protocol's page by name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, block := range regexp.MustCompile("(?s)```[a-z]+ example=([a-z-]+)\n(.*?)\n```").FindAllStringSubmatch(string(page), -1) {
		found[block[1]] = block[2]
	}
	return found
}

// exampleKey is the key of RFC 7515, appendix A.3.1.
func exampleKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	d, err := base64.RawURLEncoding.DecodeString("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verify parses a compact JWS and checks its signature.
func verify(t *testing.T, key *ecdsa.PublicKey, jws string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3: %s", len(parts), jws)
	}
	raw := make([][]byte, 3)
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			t.Fatal(err)
		}
	}
	if len(raw[2]) != 64 {
		t.Fatalf("signature of %d bytes, want 64", len(raw[2]))
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
		t.Errorf("signature does not verify: %s", jws)
	}
	for i, into := range []*map[string]any{&header, &payload} {
		if err := json.Unmarshal(raw[i], into); err != nil {
			t.Fatal(err)
		}
	}
	return header, payload
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

func TestProtocolSignatureExample(t *testing.T) {
	page := examples(t)
	key := exampleKey(t)
	header, payload := verify(t, &key.PublicKey, page["jws"])
	if want := object(t, page["header"]); !reflect.DeepEqual(header, want) {
		t.Errorf("the example signs header %v, the page shows %v", header, want)
	}
	if want := object(t, page["payload"]); !reflect.DeepEqual(payload, want) {
		t.Errorf("the example signs payload %v, the page shows %v", payload, want)
	}

	ours, err := sign(key, claims{Version: "latchkey-phone/1.1.0", Type: "pending", Subject: "aut_aaaaaaaaaaaaaaaaaaaaaaaaaa", Method: "GET", Capabilities: []string{"presence:none", "presence:enter", "pin:app"},
		URL: "https://id.example.org/api/authenticator/v1/pending", Time: 1794990000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ourHeader, ourPayload := verify(t, &key.PublicKey, ours)
	if !reflect.DeepEqual(ourHeader, header) {
		t.Errorf("we sign header %v, the page has %v", ourHeader, header)
	}
	if jti, _ := ourPayload["jti"].(string); len(jti) != 22 || jti == payload["jti"] {
		t.Errorf("jti %q, want 22 random characters", jti)
	}
	ourPayload["jti"] = payload["jti"]
	if !reflect.DeepEqual(ourPayload, payload) {
		t.Errorf("we sign payload %v, the page has %v", ourPayload, payload)
	}
}

// The first request is signed with the key in the header. No request has both key and key id.
func TestProtocolActivateCarriesTheKey(t *testing.T) {
	key := exampleKey(t)
	body := []byte(examples(t)["activate-body"])
	jws, err := sign(key, claims{Type: "activate", Method: "POST", URL: "https://id.example.org/api/authenticator/v1/activate"}, body)
	if err != nil {
		t.Fatal(err)
	}
	header, payload := verify(t, &key.PublicKey, jws)
	want := map[string]any{"kty": "EC", "crv": "P-256",
		"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
	if !reflect.DeepEqual(header["jwk"], want) {
		t.Errorf("jwk %v, want %v", header["jwk"], want)
	}
	if header["kid"] != nil || payload["sub"] != nil {
		t.Errorf("kid %v and sub %v, want neither", header["kid"], payload["sub"])
	}
	sum := sha256.Sum256(body)
	if got, want := payload["bsh"], base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("bsh %v, want %s", got, want)
	}
}

// Requests have the fields that the page shows, and no others.
func TestProtocolBodies(t *testing.T) {
	page := examples(t)
	for name, body := range map[string]any{
		"activate-body": activateBody{Secret: "m5qk3cu7wqlzj4vdh2rtx6yb4n", Name: "Chrome on Android", Platform: "android"},
		"finish-body":   finishBody{Push: true, Name: "Anna's phone"},
		"settings-body": settingsBody{Push: false},
		"answer-body": answerBody{Request: "psh_bbbbbbbbbbbbbbbbbbbbbbbbbb", Nonce: "EBESExQVFhcYGRobHB0eHw",
			Decision: "approve", Number: "47", Passcode: "492018"},
	} {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := object(t, string(raw)), object(t, page[name]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: we send %v, the page shows %v", name, got, want)
		}
	}
}

// The responses that the page gives as examples for makers of other apps.
func TestCRED3_ResponsesOnTheProtocolsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("\\| `(OCRA-1:[^`]+)` \\| (SHA-256 of )?`([^`]+)`[^|]* \\| `(\\d+)` \\|").FindAllStringSubmatch(string(text), -1)
	if len(rows) != 4 {
		t.Fatalf("%d rows, want 4", len(rows))
	}
	for _, row := range rows {
		question := row[3]
		if row[2] != "" {
			sum := sha256.Sum256([]byte(question))
			question = hex.EncodeToString(sum[:])
		}
		if got, err := ocraResponse(row[1], []byte("12345678901234567890123456789012"), question); err != nil || got != row[4] {
			t.Errorf("%s to %s: %s, %v, the page has %s", row[1], row[3], got, err, row[4])
		}
	}
}

package appapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// A finger is a platform authenticator of WebAuthn, which can lie.
type finger struct {
	key    *ecdsa.PrivateKey
	id     []byte
	count  uint32
	origin string
	party  string // RP ID
	flags  byte   // UP, UV
	cross  bool
}

func (h *fixture) finger(t *testing.T) *finger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &finger{key: key, id: id, origin: h.server.URL, party: "127.0.0.1", flags: 0x05}
}

// data is the authenticator data (WebAuthn, section 6.1).
func (f *finger) data(attested []byte) []byte {
	party := sha256.Sum256([]byte(f.party))
	flags := f.flags
	if attested != nil {
		flags |= 0x40
	}
	f.count++
	return append(binary.BigEndian.AppendUint32(append(party[:], flags), f.count), attested...)
}

func (f *finger) client(kind, challenge string) []byte {
	data, err := json.Marshal(fields{"type": kind, "challenge": challenge, "origin": f.origin, "crossOrigin": f.cross})
	if err != nil {
		panic(err)
	}
	return data
}

// made is the credential as a browser sends it.
func (f *finger) made(t *testing.T, challenge string) fields {
	t.Helper()
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		t.Fatal(err)
	}
	attested := append(make([]byte, 16), byte(len(f.id)>>8), byte(len(f.id)))
	attested = append(append(attested, f.id...), cose...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": f.data(attested)})
	if err != nil {
		t.Fatal(err)
	}
	return fields{"id": b64(f.id), "rawId": b64(f.id), "type": "public-key", "clientExtensionResults": fields{},
		"response": fields{"clientDataJSON": b64(f.client("webauthn.create", challenge)), "attestationObject": b64(object)}}
}

// shown is an assertion of a type over a challenge.
func (f *finger) shown(t *testing.T, kind, challenge string) fields {
	t.Helper()
	data, client := f.data(nil), f.client(kind, challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, f.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return fields{"id": b64(f.id), "rawId": b64(f.id), "type": "public-key", "clientExtensionResults": fields{},
		"response": fields{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}}
}

// challenge asks for one.
func (a *app) challenge(t *testing.T, what, request string) string {
	t.Helper()
	return a.must(t, "challenge", fields{"for": what, "request": request})["challenge"].(string)
}

// touched is an app with a PIN that a finger may stand in for.
func (h *fixture) touched(t *testing.T) (*app, secretPIN, *finger) {
	t.Helper()
	a, own := h.chosen(t)
	f := h.finger(t)
	status := a.must(t, "biometric", fields{"proof": b64(own.proof), "credential": f.made(t, a.challenge(t, "register", ""))})
	if got := status["pin"].(fields)["biometric"]; got != b64(f.id) {
		t.Errorf("status has biometric %v, want the credential's id", got)
	}
	return a, own, f
}

// A finger opens what the PIN opens, for the request it was shown for.
func TestCRED8_AFingerUnlocks(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own, f := h.touched(t)
		if got := a.must(t, "unlock", fields{"assertion": f.shown(t, "webauthn.get", a.challenge(t, "unlock", ""))})["half"]; got != b64(own.half) {
			t.Errorf("half %v, want that of the PIN", got)
		}
		_, p := h.Pushed(t, h.User, policy.Enter)
		if r := a.call(t, "answer", a.approval(t, p)); r.code() != "pin" {
			t.Errorf("approved after a finger shown for nothing: %d %v", r.status, r.body)
		}
		a.must(t, "unlock", fields{"assertion": f.shown(t, "webauthn.get", a.challenge(t, "unlock", p.ID)), "request": p.ID})
		if r := a.call(t, "answer", a.approval(t, p)); r.body["outcome"] != "approved" {
			t.Errorf("approved after a finger: %d %v", r.status, r.body)
		}
		a.must(t, "biometric", fields{})
		if r := a.call(t, "unlock", fields{"assertion": f.shown(t, "webauthn.get", a.challenge(t, "unlock", ""))}); r.code() != "biometric" {
			t.Errorf("after its end: %d %v", r.status, r.body)
		}
	})
}

// What proves no finger of this person's, here and now. Without parsed.Verify in
// unlockByBiometric another origin is taken, or no user verification, until the
// counter stops the next; without useChallenge another challenge is.
func TestCRED8_FingersThatProveNothing(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own, f := h.touched(t)
		_, p := h.Pushed(t, h.User, policy.NoPresence)
		other := h.finger(t)
		other.id = f.id // and its own key
		thief := h.finger(t)
		spent := a.challenge(t, "unlock", "")
		a.must(t, "unlock", fields{"assertion": f.shown(t, "webauthn.get", spent)})
		with := func(change func(*finger)) func() fields {
			return func() fields {
				lie := *f
				lie.count += 100
				change(&lie)
				return lie.shown(t, "webauthn.get", a.challenge(t, "unlock", p.ID))
			}
		}
		for name, lie := range map[string]func() fields{
			"no user verification":    with(func(f *finger) { f.flags = 0x01 }),
			"no user presence":        with(func(f *finger) { f.flags = 0x04 }),
			"another origin":          with(func(f *finger) { f.origin = "https://evil.example" }),
			"another relying party":   with(func(f *finger) { f.party = "evil.example" }),
			"in a frame of another":   with(func(f *finger) { f.cross = true }),
			"another key":             with(func(f *finger) { f.key = other.key }),
			"another credential":      with(func(f *finger) { f.id, f.key = thief.id, thief.key }),
			"a counter that is back":  with(func(f *finger) { f.count = 0 }),
			"a registration":          func() fields { return f.shown(t, "webauthn.create", a.challenge(t, "unlock", p.ID)) },
			"a challenge for nothing": func() fields { return f.shown(t, "webauthn.get", a.challenge(t, "unlock", "")) },
			"one to register by":      func() fields { return f.shown(t, "webauthn.get", a.challenge(t, "register", "")) },
			"one that is spent":       func() fields { return f.shown(t, "webauthn.get", spent) },
			"one of its own making":   func() fields { return f.shown(t, "webauthn.get", b64(make([]byte, 32))) },
			"one that is too old": func() fields {
				challenge := a.challenge(t, "unlock", p.ID)
				h.Clock.Advance(challengeLife)
				return f.shown(t, "webauthn.get", challenge)
			},
		} {
			r := a.call(t, "unlock", fields{"assertion": lie(), "request": p.ID})
			if r.status != http.StatusUnprocessableEntity || r.code() != "biometric" || r.body["half"] != nil {
				t.Errorf("%s: %d %v, want 422 biometric", name, r.status, r.body)
			}
		}
		_, p = h.Pushed(t, h.User, policy.NoPresence) // the clock has passed
		if r := a.call(t, "answer", a.approval(t, p)); r.code() != "pin" {
			t.Errorf("approved after all of them: %d %v", r.status, r.body)
		}
		a.must(t, "unlock", fields{"proof": b64(own.proof)}) // the PIN still does
		if left := a.must(t, "status", nil)["pin"].(fields)["attempts_left"]; left != 3.0 {
			t.Errorf("%v tries left, want all: there is nothing to guess in a finger", left)
		}
	})
}

// Who found a phone unlocked cannot bring their own finger, and where the
// template allows none, nobody can.
func TestCRED8_SettingAFingerUp(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.wantsPIN(t, 3)
		a, own := h.chosen(t)
		f := h.finger(t)
		wrong := ofPIN(t, "000000")
		if r := a.call(t, "biometric", fields{"proof": b64(wrong.proof), "credential": f.made(t, a.challenge(t, "register", ""))}); r.code() != "pin" || r.body["attempts_left"] != 2.0 {
			t.Errorf("with a wrong PIN: %d %v, want 422 pin", r.status, r.body)
		}
		if r := a.call(t, "biometric", fields{"credential": f.made(t, a.challenge(t, "register", ""))}); r.status != http.StatusBadRequest {
			t.Errorf("without a PIN: %d %v, want 400", r.status, r.body)
		}
		f.flags = 0x01
		if r := a.call(t, "biometric", fields{"proof": b64(own.proof), "credential": f.made(t, a.challenge(t, "register", ""))}); r.code() != "biometric" {
			t.Errorf("without user verification: %d %v, want 422 biometric", r.status, r.body)
		}
		f.flags = 0x05
		if r := a.call(t, "biometric", fields{"proof": b64(own.proof), "credential": f.made(t, a.challenge(t, "unlock", ""))}); r.code() != "biometric" {
			t.Errorf("by a challenge for something else: %d %v, want 422 biometric", r.status, r.body)
		}
		// A new PIN ends what was set up under the old.
		h.Clock.Advance(time.Second)
		a.must(t, "biometric", fields{"proof": b64(own.proof), "credential": f.made(t, a.challenge(t, "register", ""))})
		if got := a.must(t, "pin", own.change(ofPIN(t, "720916")))["pin"].(fields)["biometric"]; got != nil {
			t.Errorf("after a new PIN: %v, want none", got)
		}
	})
}

// The flag is the template's, as it was copied at the enrolment (SP-10).
func TestCRED8_NotWhereTheTemplateForbidsIt(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 3)
	h.Rules.Template.Biometric = false
	a, _ := h.chosen(t)
	if r := a.call(t, "challenge", fields{"for": "register"}); r.status != http.StatusForbidden || r.code() != "biometric-not-allowed" {
		t.Errorf("%d %v, want 403 biometric-not-allowed", r.status, r.body)
	}
	for _, body := range []fields{{}, {"for": "fun"}, {"for": "unlock", "request": "x"}, {"for": "register", "request": "psh_aaaaaaaaaaaaaaaaaaaaaaaaaa"}} {
		if r := a.call(t, "challenge", body); r.status != http.StatusBadRequest {
			t.Errorf("%v: %d %v, want 400", body, r.status, r.body)
		}
	}
}

// The calls of the protocol's page have the fields that they have there.
func TestProtocolBiometricExamples(t *testing.T) {
	h := onSQLite(t)
	h.wantsPIN(t, 3)
	a, _, f := h.touched(t)
	keys := func(v any) string { return strings.Join(slices.Sorted(maps.Keys(v.(fields))), " ") }
	challenge := a.must(t, "challenge", example(t, "challenge-body"))
	if got, want := keys(challenge), keys(example(t, "challenge")); got != want {
		t.Errorf("challenge: %s, the page has %s", got, want)
	}
	said := challenge["challenge"].(string)
	for _, tt := range []struct {
		name, part string
		ours       fields
	}{
		{"biometric-body", "credential", f.made(t, said)},
		{"assertion-body", "assertion", f.shown(t, "webauthn.get", said)},
	} {
		page := example(t, tt.name)[tt.part].(fields)
		if keys(page) != keys(tt.ours) || keys(page["response"]) != keys(tt.ours["response"]) {
			t.Errorf("%s: the page has %v", tt.name, page)
		}
		body := example(t, tt.name)
		body[tt.part] = tt.ours
		if r := a.call(t, map[string]string{"credential": "biometric", "assertion": "unlock"}[tt.part], body); r.status == http.StatusBadRequest {
			t.Errorf("%s is not understood: %v", tt.name, r.body)
		}
	}
}

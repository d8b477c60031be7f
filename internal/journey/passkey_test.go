package journey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// loginPages are who asks for signatures.
var loginPages = authenticator.RelyingParty{ID: "login.example.org", Origin: "https://login.example.org"}

// Flags of authenticator data (WebAuthn, section 6.1).
const (
	present  byte = 0x01
	verified byte = 0x04
	eligible byte = 0x08
	attested byte = 0x40
)

// A key is a passkey and the browser around it, which can lie.
type key struct {
	private *ecdsa.PrivateKey
	id      []byte
	handle  string
	count   uint32
	flags   byte
	party   authenticator.RelyingParty
	kind    string
	cross   bool

	transports []string
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k *key) data(more []byte, flags byte) []byte {
	party := sha256.Sum256([]byte(k.party.ID))
	return append(binary.BigEndian.AppendUint32(append(party[:], flags), k.count), more...)
}

func (k *key) client(t *testing.T, kind, challenge string) []byte {
	data, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": k.party.Origin, "crossOrigin": k.cross})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (k *key) json(t *testing.T, response map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"id": encoded(k.id), "rawId": encoded(k.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// made is the passkey as a browser sends it.
func (k *key) made(t *testing.T, challenge string) []byte {
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		t.Fatal(err)
	}
	more := slices.Concat(make([]byte, 16), binary.BigEndian.AppendUint16(nil, uint16(len(k.id))), k.id, cose)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": k.data(more, k.flags|attested)})
	if err != nil {
		t.Fatal(err)
	}
	return k.json(t, map[string]any{"clientDataJSON": encoded(k.client(t, "webauthn.create", challenge)), "attestationObject": encoded(object), "transports": k.transports})
}

// signs is what a browser sends of a signature over a challenge.
func (k *key) signs(t *testing.T, challenge string) []byte {
	k.count++
	data, client := k.data(nil, k.flags), k.client(t, k.kind, challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	response := map[string]any{"clientDataJSON": encoded(client), "authenticatorData": encoded(data), "signature": encoded(signature)}
	if k.handle != "" {
		response["userHandle"] = encoded([]byte(k.handle))
	}
	return k.json(t, response)
}

// newKey is one that nobody has yet.
func (h *fixture) newKey(u identity.User) *key {
	h.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	k := &key{private: private, id: make([]byte, 32), handle: u.ID, count: 7, flags: present | verified | eligible, party: loginPages, kind: "webauthn.get", transports: []string{"usb", "<b>"}}
	rand.Read(k.id)
	return k
}

// passkey is one that a user has added.
func (h *fixture) passkey(u identity.User) (*key, identity.Authenticator) {
	h.Helper()
	k := h.newKey(u)
	var a identity.Authenticator
	h.do(h.Who, func(tx *store.Tx) (err error) {
		a, err = authenticator.AddPasskey(h.Context(), tx, u, loginPages, "AAAA", k.made(h.T, "AAAA"), authenticator.PasskeyName{Typed: "Blue key"}, templates.Origin{At: tx.Now()})
		return err
	})
	return k, a
}

// asked is what the page of a journey asks a passkey to sign.
func (h *fixture) asked(v *journey.View) string {
	h.Helper()
	challenge, err := journey.PasskeyChallenge(h.db.Reader, v.Journey)
	if err != nil {
		h.Fatal(err)
	}
	return challenge
}

func (h *fixture) sign(v *journey.View, signed []byte) (*journey.View, error) {
	return h.take(h.withSession(nowhere), v, journey.SignWithPasskey{Credential: signed})
}

// toPasskey goes to where a passkey is asked for, past the password.
func (h *fixture) toPasskey(browser string) *journey.View {
	h.Helper()
	v, err := h.take(h.withSession(nowhere), h.toChoice(browser), journey.ChooseMethod{Method: identity.ByPasskey})
	return h.want(v, err, journey.AskPasskey)
}

// alone sets the policy by which a passkey stands for name and password too.
func (h *fixture) alone() { h.passkeys(policy.Passwordless) }

func (h *fixture) passkeys(what string) {
	rules := policy.DefaultCredentials()
	rules.Passkeys = what
	h.setPolicy(rules)
}

func (h *fixture) first(browser string) *journey.View {
	h.Helper()
	v, err := h.begin(browser, nowhere, nil)
	return h.want(v, err, journey.Identify)
}

// A passkey confirms after a password, and is told as what it was: one that
// verified its user, or not.
func TestCRED19_APasskeyIsASecondFactor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		if v := h.toChoice("a"); slices.Contains(v.Methods, identity.ByPasskey) {
			t.Error("offered to who has none")
		}
		k, a := h.passkey(h.User)
		for flags, method := range map[byte]identity.Method{present | verified | eligible: identity.ByVerifiedPasskey, present | eligible: identity.ByPasskey} {
			k.flags = flags
			v := h.toPasskey("b")
			v, err := h.sign(v, k.signs(t, h.asked(v)))
			v = h.want(v, err, journey.Done)
			p := h.last.Passed[1]
			if p.Validation != identity.SecondFactor || p.Method != method || p.Authenticator != a.ID {
				t.Errorf("proved %+v, want %s by %s", p, method, a.ID)
			}
			if got := v.Rules.Reached(v.Journey); got != journey.MFAContext {
				t.Errorf("context %s, want %s", got, journey.MFAContext)
			}
		}
		if v := h.toChoice("b"); v.Preselected != identity.ByPasskey {
			t.Errorf("preselected %q, want what worked last", v.Preselected)
		}
		if n := len(h.events(audit.PasskeyRight)); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
		if to := h.mails("authenticator-changed"); len(to) != 1 {
			t.Errorf("mails to %v, want one of the passkey that was added", to)
		}
	})
}

// What a relying party must refuse (T-LOG-32; WebAuthn, section 7.2), each in the
// words of all the others, with a reason for operators. None counts as a failed
// login: there is nothing to guess.
//
// Tried without origin, without party, with the counter's condition true, without
// presence, with the challenge left out of Verify's data, without the user compared,
// without eligibility compared: the row of each logged in.
func TestTLOG32_SignaturesThatAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		carl, err := h.engine.Directory.AddUser(t.Context(), h.Who, h.Tenant.ID, directory.NewUser{Name: "carl", Mail: "carl@example.org", Password: "another horse battery"})
		if err != nil {
			t.Fatal(err)
		}
		others, _ := h.passkey(carl)
		unregistered := h.newKey(h.User)
		k, _ := h.passkey(h.User)
		v := h.toPasskey("b")
		v, err = h.sign(v, k.signs(t, h.asked(v)))
		h.want(v, err, journey.Done)
		for name, lie := range map[string]func(k *key, challenge string) []byte{
			"another origin":     func(k *key, c string) []byte { k.party.Origin = "https://login.example.com"; return k.signs(t, c) },
			"http":               func(k *key, c string) []byte { k.party.Origin = "http://login.example.org"; return k.signs(t, c) },
			"another party":      func(k *key, c string) []byte { k.party.ID = "example.org"; return k.signs(t, c) },
			"in a frame":         func(k *key, c string) []byte { k.cross = true; return k.signs(t, c) },
			"of another act":     func(k *key, c string) []byte { k.kind = "webauthn.create"; return k.signs(t, c) },
			"counter back":       func(k *key, c string) []byte { k.count = 3; return k.signs(t, c) },
			"the same count":     func(k *key, c string) []byte { k.count--; return k.signs(t, c) },
			"counter gone":       func(k *key, c string) []byte { k.count = ^uint32(0); return k.signs(t, c) },
			"nobody present":     func(k *key, c string) []byte { k.flags &^= present; return k.signs(t, c) },
			"another challenge":  func(k *key, _ string) []byte { return k.signs(t, "AAAA") },
			"eligibility gone":   func(k *key, c string) []byte { k.flags &^= eligible; return k.signs(t, c) },
			"another user named": func(k *key, c string) []byte { k.handle = carl.ID; return k.signs(t, c) },
			"another user's":     func(_ *key, c string) []byte { return others.signs(t, c) },
			"nobody's":           func(_ *key, c string) []byte { return unregistered.signs(t, c) },
			"another key":        func(k *key, c string) []byte { k.private = unregistered.private; return k.signs(t, c) },
			"nothing":            func(*key, string) []byte { return nil },
			"garbage":            func(*key, string) []byte { return []byte(`{"id":"x"}`) },
		} {
			v := h.toPasskey("b")
			before, lying := len(h.events(audit.PasskeyWrong)), *k
			v, err := h.sign(v, lie(&lying, h.asked(v)))
			if v = h.want(v, err, journey.AskPasskey); v.Journey.Notice != "error.passkey.wrong" {
				t.Errorf("%s: told %q", name, v.Journey.Notice)
			}
			if all := h.events(audit.PasskeyWrong); len(all) != before+1 || all[0].Reason == "" {
				t.Errorf("%s: %d events more, want one with its reason", name, len(all)-before)
			}
		}
		if n := h.user().Failures; n != 0 {
			t.Errorf("%d failed logins", n)
		}
		copied := 0
		for _, e := range h.events(audit.PasskeyWrong) {
			if e.Reason == "counter went back" {
				copied++
			}
		}
		if to := h.mails("authenticator-changed"); copied != 3 || len(to) != 2+copied {
			t.Errorf("%d copies, mails to %v; want 3, each told", copied, to)
		}
		v = h.toPasskey("b")
		v, err = h.sign(v, k.signs(t, h.asked(v)))
		h.want(v, err, journey.Done)
	})
}

// One signature counts once: not for the page it was made for again, sent a
// hundred times, nor for another page, another journey, or another browser's.
//
// Tried with a challenge of the journey's id alone: the one for the page before
// logged in.
func TestTLOG32_ASignatureCountsOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		limits := policy.DefaultLimits()
		limits.PasswordAttemptsPerAddress = 1000
		h.setPolicy(limits)
		k, _ := h.passkey(h.User)
		v, other := h.toPasskey("b"), h.toPasskey("c")
		signed := k.signs(t, h.asked(v))
		elsewhere, err := h.sign(other, signed)
		h.want(elsewhere, err, journey.AskPasskey)
		var done, stale atomic.Int32
		before := h.grants.Load()
		each(100, v, func(v *journey.View) {
			v, err := h.sign(v, signed)
			switch {
			case errors.Is(err, identity.Conflict):
				stale.Add(1)
			case err != nil:
				t.Error(err)
			case v.Step == journey.Done:
				done.Add(1)
			}
		})
		if done.Load() != 1 || stale.Load() != 99 || h.grants.Load() != before+1 {
			t.Errorf("%d logged in, %d stale, %d grants, want 1, 99, 1", done.Load(), stale.Load(), h.grants.Load()-before)
		}
		k.flags &^= present
		v = h.toPasskey("d")
		signed = k.signs(t, h.asked(v))
		v, err = h.sign(v, signed)
		v = h.want(v, err, journey.AskPasskey)
		k.flags |= present
		signed = k.signs(t, h.asked(h.toPasskey("d")))
		v, err = h.sign(v, signed)
		h.want(v, err, journey.AskPasskey)
	})
}

// Where policy lets it, a passkey that verified its user is name, password and
// second factor in one; it is told as that.
func TestCRED19_WithoutAPassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		k, a := h.passkey(h.User)
		v := h.first("b")
		if v.OffersPasswordless() {
			t.Error("offered, and policy has it as a second factor")
		}
		v, err := h.sign(v, k.signs(t, h.asked(v)))
		h.want(v, err, journey.Identify)
		h.alone()
		v = h.first("b")
		if !v.OffersPasswordless() {
			t.Error("not offered")
		}
		v, err = h.sign(v, k.signs(t, h.asked(v)))
		v = h.want(v, err, journey.Done)
		if h.last.UserID != h.User.ID || len(h.last.Passed) != 3 || v.Rules.Reached(v.Journey) != journey.MFAContext {
			t.Errorf("%s proved %+v", h.last.UserID, h.last.Passed)
		}
		for _, p := range h.last.Passed {
			if p.Method != identity.ByVerifiedPasskey || p.Authenticator != a.ID {
				t.Errorf("proved %+v, want by the passkey alone", p)
			}
		}
		if amr := journey.References(v.Journey.Passed); slices.Contains(amr, "pwd") || !slices.Contains(amr, "mfa") {
			t.Errorf("amr %v", amr)
		}
	})
}

// Without a password a passkey must have verified its user and say whose it is;
// who may not log in does not, and what was switched off is (T-LOG-32, CRED-20).
//
// Tried with Verified false on the first page: the row without verification logged
// in. Tried without the state compared: the suspended one did.
func TestTLOG32_WithoutAPasswordNothingIsLetThrough(t *testing.T) {
	for name, tt := range map[string]struct {
		lie  func(h *fixture, k *key, a identity.Authenticator)
		step journey.Step
	}{
		"not verified":  {func(_ *fixture, k *key, _ identity.Authenticator) { k.flags &^= verified }, journey.Identify},
		"says nobody":   {func(_ *fixture, k *key, _ identity.Authenticator) { k.handle = "" }, journey.Identify},
		"says another":  {func(h *fixture, k *key, _ identity.Authenticator) { k.handle = "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa" }, journey.Identify},
		"disabled":      {func(h *fixture, _ *key, _ identity.Authenticator) { h.disable() }, journey.Identify},
		"second factor": {func(h *fixture, _ *key, _ identity.Authenticator) { h.setPolicy(policy.DefaultCredentials()) }, journey.Identify},
		"passkeys off": {func(h *fixture, _ *key, _ identity.Authenticator) {
			h.passkeys(policy.NoPasskeys)
		}, journey.Identify},
		"suspended": {func(h *fixture, _ *key, a identity.Authenticator) {
			h.do(h.Who, func(tx *store.Tx) error { return authenticator.Suspend(h.Context(), tx, a) })
		}, journey.Identify},
		"reported lost": {func(h *fixture, _ *key, a identity.Authenticator) {
			h.do(h.Who, func(tx *store.Tx) error { return authenticator.Revoke(h.Context(), tx, a, "lost") })
		}, journey.Identify},
		"logins locked": {func(h *fixture, _ *key, _ identity.Authenticator) { h.lockLogins() }, journey.Locked},
		"policy says no": {func(h *fixture, _ *key, _ identity.Authenticator) {
			h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "none", Deny: true}}})
		}, journey.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, storetest.SQLite(t))
			h.alone()
			k, a := h.passkey(h.User)
			v := h.first("b")
			challenge := h.asked(v)
			tt.lie(h, k, a)
			v, err := h.sign(v, k.signs(t, challenge))
			v = h.want(v, err, tt.step)
			if tt.step == journey.Identify && v.Journey.Notice != "error.passkey.wrong" || h.grants.Load() != 0 {
				t.Errorf("told %q, %d grants", v.Journey.Notice, h.grants.Load())
			}
		})
	}
}

// lockLogins locks the user's logins for a while.
func (h *fixture) lockLogins() {
	h.Helper()
	for range 6 {
		v := h.named("elsewhere", h.User.Name, journey.AskPassword)
		if _, err := h.take(h.withSession(nowhere), v, journey.EnterPassword{Password: "wrong password"}); err != nil {
			h.Fatal(err)
		}
	}
}

// A passkey that the tenant has is not added twice, nor by somebody else; what was
// made for another site is no passkey of ours, and a person has a bounded number.
func TestCRED19_PasskeysThatAreNotAdded(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	k, _ := h.passkey(h.User)
	add := func(k *key, challenge, name string) error {
		return h.db.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, err := authenticator.AddPasskey(t.Context(), tx, h.User, loginPages, "AAAA", k.made(t, challenge), authenticator.PasskeyName{Typed: name}, templates.Origin{At: tx.Now()})
			return err
		})
	}
	if err := add(k, "AAAA", "Again"); !errors.Is(err, identity.Conflict) {
		t.Errorf("added twice: %v", err)
	}
	for name, lie := range map[string]func(k *key){
		"another origin": func(k *key) { k.party.Origin = "https://login.example.com" },
		"another party":  func(k *key) { k.party.ID = "example.com" },
		"nobody present": func(k *key) { k.flags &^= present },
	} {
		lying := h.newKey(h.User)
		lie(lying)
		if err := add(lying, "AAAA", "Key"); !errors.Is(err, identity.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if err := add(h.newKey(h.User), "AAAB", "Key"); !errors.Is(err, identity.Invalid) {
		t.Errorf("another challenge: %v, want invalid", err)
	}
	if err := add(h.newKey(h.User), "AAAA", strings.Repeat("x", 65)); !errors.Is(err, identity.Invalid) {
		t.Errorf("with too long a name: %v, want invalid", err)
	}
	for range 19 {
		if err := add(h.newKey(h.User), "AAAA", "Key"); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(h.newKey(h.User), "AAAA", "Key"); !errors.Is(err, identity.Conflict) {
		t.Errorf("the twenty-first: %v, want a conflict", err)
	}
	h.Clock.Advance(time.Second)
}

// A passkey that nobody named is called by what it is, and no two of a person are called
// the same. (With the transports not looked at, and without FreeName, it failed.)
func TestCRED19_APasskeyHasANameByDefault(t *testing.T) {
	h := newFixture(t, storetest.SQLite(t))
	for i, tt := range []struct {
		transports []string
		typed      string
		want       string
	}{
		{[]string{"internal", "hybrid"}, "", "Passkey, Chrome, Linux"},
		{[]string{"hybrid", "usb"}, " ", "Passkey, Chrome, Linux (2)"},
		{nil, "", "Passkey, Chrome, Linux (3)"},
		{[]string{"usb", "nfc", "of tomorrow"}, "", "Security key"},
		{[]string{"usb"}, "", "Security key (2)"},
		{[]string{"usb"}, "Security key", "Security key"}, // as its user wants it
	} {
		k := h.newKey(h.User)
		k.transports = tt.transports
		h.do(h.Who, func(tx *store.Tx) error {
			a, err := authenticator.AddPasskey(t.Context(), tx, h.User, loginPages, "AAAA", k.made(t, "AAAA"),
				authenticator.PasskeyName{Typed: tt.typed, Device: "Passkey, Chrome, Linux", SecurityKey: "Security key"}, templates.Origin{At: tx.Now()})
			if a.Name != tt.want {
				t.Errorf("%d: called %q, want %q", i, a.Name, tt.want)
			}
			return err
		})
	}
}

// A rule may ask for a passkey: nothing else is asked beside the password, one that
// did not verify its user does not do, and who has none is told so and gets no
// further, whatever else they have. So it is where an application asks for phr.
//
// Tried without the case in Next: a passcode was asked for, and the login stood
// still. Tried without Verified: the unverified one was taken, though it led no
// further.
func TestJRN7_APasskeyMayBeRequired(t *testing.T) {
	for name, begin := range map[string]func(h *fixture, browser string) *journey.View{
		"a rule": func(h *fixture, browser string) *journey.View {
			h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password, identity.VerifiedPasskey}}}})
			return h.first(browser)
		},
		"the application": func(h *fixture, browser string) *journey.View {
			v, err := h.begin(browser, nowhere, func(s *journey.Request) { s.ACR = []string{journey.PhishingResistantContext} })
			return h.want(v, err, journey.Identify)
		},
	} {
		storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
			h := newFixture(t, empty)
			named := func(browser string) *journey.View {
				v, err := h.take(h.withSession(nowhere), begin(h, browser), journey.EnterName{Name: "berit.lie"})
				return h.want(v, err, journey.AskPassword)
			}
			h.proved(named("a"), journey.Refused)
			k, _ := h.passkey(h.User)
			v := h.proved(named("b"), journey.AskPasskey)
			if _, err := h.take(h.withSession(nowhere), v, journey.EnterPasscode{Passcode: h.passcode(0)}); !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: a passcode was taken: %v", name, err)
			}
			k.flags &^= verified
			v, err := h.sign(v, k.signs(t, h.asked(v)))
			if v = h.want(v, err, journey.AskPasskey); v.Journey.Notice != "error.passkey.wrong" {
				t.Errorf("%s: told %q of one that was not verified", name, v.Journey.Notice)
			}
			k.flags |= verified
			v, err = h.sign(v, k.signs(t, h.asked(v)))
			v = h.want(v, err, journey.Done)
			if got := v.Rules.Reached(v.Journey); name != "a rule" && got != journey.PhishingResistantContext {
				t.Errorf("%s: context %s", name, got)
			}
			v, err = h.begin("b", h.last, func(s *journey.Request) { s.ACR = []string{journey.PhishingResistantContext} })
			h.want(v, err, journey.Done) // the session's passkey reaches as far
		})
	}
}

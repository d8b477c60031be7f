package journey

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// examples are those of docs/protocol-journey.md, by name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/protocol-journey.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```json example=([a-z-]+)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		all[m[1]] = m[2]
	}
	return all
}

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("the example: %v", err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("JSON %s\nthe page has %s", got, want)
	}
}

// The page has an example of every kind of input, and what it shows is read as that
// input.
func TestProtocol_Inputs(t *testing.T) {
	yes, no := true, false
	want := map[string]Input{
		"name": EnterName{Name: "berit.lie"}, "password": EnterPassword{Password: "correct horse battery"}, "forgot-password": ForgotPassword{},
		"method":   ChooseMethod{Method: identity.ByPush, Remembering: Remembering{&yes}},
		"passcode": EnterPasscode{Passcode: "492018", Remembering: Remembering{&no}}, "response": EnterResponse{Response: "813204"},
		"recovery-code": EnterRecoveryCode{Code: "7Q2M-4KXD-9RTA-PW3E"}, "mail-code": EnterMailCode{Code: "318274"},
		"passkey": SignWithPasskey{Credential: json.RawMessage(`{"id":"AQID","rawId":"AQID","type":"public-key","response":{}}`)},
		"new-pin": ChoosePIN{PIN: "4711", Again: "4711"}, "new-password": ChoosePassword{Password: "seventeen green umbrellas", Again: "seventeen green umbrellas"},
		"platform": ChoosePlatform{Platform: identity.Android}, "continue": Continue{}, "resend": Resend{}, "back": GoBack{}, "cancel": Cancel{},
		"language": PickLanguage{Language: "de"},
	}
	page := examples(t)
	for kind := range readers {
		example, ok := page["input-"+kind]
		if !ok {
			t.Errorf("the page has no example of %q", kind)
			continue
		}
		got, err := ReadInput([]byte(example))
		if err != nil || got.Kind() != kind {
			t.Errorf("%s: %#v, %v", kind, got, err)
			continue
		}
		if signed, ok := got.(SignWithPasskey); ok {
			var compact bytes.Buffer
			if err := json.Compact(&compact, signed.Credential); err != nil {
				t.Fatal(err)
			}
			signed.Credential = compact.Bytes()
			got = signed
		}
		if !reflect.DeepEqual(got, want[kind]) {
			t.Errorf("%s is read as %#v, want %#v", kind, got, want[kind])
		}
	}
	for name := range page {
		if kind, ok := strings.CutPrefix(name, "input-"); ok && readers[kind] == nil {
			t.Errorf("the page has an example of %q, which is no input", kind)
		}
	}
}

func TestProtocol_InputsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `"name"`, "{}", `{"type": null}`, `{"type": 1}`, `{"type": "sms"}`, `{"type": "Name", "name": "x"}`,
		`{"type": "name", "name": 7}`, `{"type": "name", "password": "x"}`, `{"type": "back", "then": "cancel"}`, `{"type": "name", "name": "x"} {}`,
		`{"type": "passcode", "passcode": "1", "remember": "yes"}`} {
		if in, err := ReadInput([]byte(text)); err == nil {
			t.Errorf("%s is read as %#v", text, in)
		}
	}
}

func TestProtocol_Prompts(t *testing.T) {
	at := func(seconds int64) Time { return Time{time.Unix(seconds, 0)} }
	page := examples(t)
	for name, p := range map[string]*Prompt{
		"name": {Step: Identify, State: "1.identify", Application: "Payroll", Language: "en", Ask: AskedName{}},
		"push": {Step: WaitForPush, State: "4.push", Application: "Payroll", Name: "berit.lie", Language: "en",
			Push: &PushStatus{Offered: true, OtherMethods: []identity.Method{identity.ByPasscode, identity.ByRecoveryCode}, AgainIn: 12},
			Ask:  AskedPush{Number: "47", Address: "192.0.2.17", StartedAt: at(1794990000), Left: 57, Total: 60}},
		"passcode": {Step: AskPasscode, State: "5.passcode", Application: "Payroll", Name: "berit.lie", Language: "en", Problem: "error.passcode.wrong",
			Push: &PushStatus{Offered: true, OtherMethods: []identity.Method{identity.ByPasscode, identity.ByRecoveryCode}}, Ask: AskedPasscode{Recovery: true}},
		"locked": {Step: Locked, State: "6.locked", Application: "Payroll", Name: "berit.lie", Language: "en", Reason: ReasonLocked, Until: at(1794990900)},
	} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { sameJSON(t, text, page["prompt-"+name]) })
	}
}

// The page names the type and the challenge of every step there is.
func TestProtocol_EveryStepIsNamed(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol-journey.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Step{Identify, AskPassword, Choose, WaitForPush, PushOver, PushLocked, AppTooOld, AskPasscode, AskNextPasscode, AskPasskey,
		AskChallenge, AskRecoveryCode, AskResetCode, AskNewPIN, AskNewPassword, EnrollOffer, EnrollCode, EnrollPlatform, EnrollScan,
		EnrollThirdParty, EnrollNoMail, Locked, Refused, Done, Ended} {
		if !bytes.Contains(text, []byte("`"+s.Type()+"`")) {
			t.Errorf("the page does not name %s", s.Type())
		}
	}
	for _, a := range []Ask{AskedName{}, AskedPassword{}, AskedMethod{}, AskedPush{}, AskedAnother{}, AskedPasscode{}, AskedResponse{}, AskedPasskey{},
		AskedRecoveryCode{}, AskedMailCode{}, AskedPIN{}, AskedNewPassword{}, AskedToEnroll{}, AskedPlatform{}, AskedActivation{}, AskedConfirmation{}} {
		if !bytes.Contains(text, []byte("`"+a.kind()+"`")) {
			t.Errorf("the page does not name the challenge %s", a.kind())
		}
	}
}

func FuzzReadInput(f *testing.F) {
	f.Add([]byte(`{"type": "name", "name": "berit.lie"}`))
	f.Add([]byte(`{"type": "passkey", "credential": {}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := ReadInput(text)
		if (in == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", text, in, err)
		}
	})
}

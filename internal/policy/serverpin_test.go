package policy

import "testing"

// The rules of PINs that the server checks. What was typed is split by the length
// of the passcode, whatever the digits next to the cut are (attack 24).
func TestCRED6_ServerPINs(t *testing.T) {
	rules := DefaultServerPIN()
	for pin, want := range map[string]PINProblem{
		"4938": "", "49381726": "", "1123": "", "123682": "",
		"493": PINShort, "": PINShort, "493817264": PINLong,
		"1234": PINTrivial, "6543": PINTrivial, "1111": PINTrivial,
		"a938": PINCharacters, "49 8": PINCharacters, "٤٩٣٨": PINCharacters, // typed, they are ASCII's by then
	} {
		if got := rules.Problem(pin); got != want {
			t.Errorf("%q is %q, want %q", pin, got, want)
		}
	}
	rules.TrivialPINs = true
	if got := rules.Problem("1111"); got != "" {
		t.Errorf("a trivial one that is allowed is %q", got)
	}
	for _, tt := range []struct {
		position, typed string
		digits          int
		pin, passcode   string
	}{
		{PINBefore, "12345678", 6, "12", "345678"},
		{PINBefore, "123456123456", 6, "123456", "123456"},
		{PINBefore, "493812345678", 8, "4938", "12345678"},
		{PINBefore, "123456", 6, "", "123456"},
		{PINBefore, "12345", 6, "", "12345"},
		{PINAfter, "34567812", 6, "12", "345678"},
		{PINAfter, "123456784938", 8, "4938", "12345678"},
		{PINAfter, "123456", 6, "", "123456"},
		{PINAfter, "", 6, "", ""},
	} {
		pin, passcode := ServerPIN{Position: tt.position}.Split(tt.typed, tt.digits)
		if pin != tt.pin || passcode != tt.passcode {
			t.Errorf("%s %s of %d: %q and %q, want %q and %q", tt.typed, tt.position, tt.digits, pin, passcode, tt.pin, tt.passcode)
		}
	}
	for _, tt := range []struct {
		rules ServerPIN
		good  bool
	}{
		{DefaultServerPIN(), true},
		{ServerPIN{MinLength: 3, MaxLength: 4, Position: PINAfter}, true},
		{ServerPIN{MinLength: 15, MaxLength: 16, Position: PINAfter}, true},
		{ServerPIN{MinLength: 2, MaxLength: 8, Position: PINAfter}, false},
		{ServerPIN{MinLength: 16, MaxLength: 16, Position: PINAfter}, false},
		{ServerPIN{MinLength: 3, MaxLength: 3, Position: PINAfter}, false},
		{ServerPIN{MinLength: 8, MaxLength: 7, Position: PINAfter}, false},
		{ServerPIN{MinLength: 4, MaxLength: 17, Position: PINAfter}, false},
		{ServerPIN{MinLength: 4, MaxLength: 8, Position: "behind"}, false},
	} {
		if err := tt.rules.Validate(); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.rules, err)
		}
	}
}

// With this PIN type the app's PIN rules have no effect, and a response to a
// challenge has no PIN with it (SP-14, CRED-4a).
func TestCRED5_ATemplateWithAServerPIN(t *testing.T) {
	got, err := Read[Template]([]byte(`{"pin": "server", "pin_length": 8, "pin_attempts": 3, "biometric": true}`))
	want := DefaultTemplate()
	want.PIN = ServerSidePIN
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	want.Mode = ChallengeResponse
	if err := want.Validate(); err == nil {
		t.Error("a PIN beside responses is taken")
	}
}

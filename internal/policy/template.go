package policy

import "github.com/latchkey-id/latchkey/internal/identity"

// Modes and PIN types of a Template (CRED-3, CRED-5).
const (
	QuickLog          = "quick-log"          // the app shows passcodes
	ChallengeResponse = "challenge-response" // the login page shows a challenge, which the app answers
	NoPIN             = "none"
	UserPIN           = "user"   // chosen by the user, asked for by the app
	ServerSidePIN     = "server" // typed with the passcode, as [ServerPIN] has it
)

// A Template says what an app token enrolled from now on is like. A copy of it
// goes into the authenticator, so that a change touches none that exists. As a
// document it is the tenant's standard one; [Templates] holds others.
type Template struct {
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Length int64  `json:"length"` // digits of a passcode, or of a response
	Step   int64  `json:"step"`   // seconds; 0 is event-based: a counter
	PIN    string `json:"pin"`
	PINRules
	PINAttempts int64 `json:"pin_attempts"` // wrong PINs in a row that lock the authenticator for good (CRED-7)
	Biometric   bool  `json:"biometric"`    // unlock instead of typing a PIN (CRED-8)
}

// DefaultTemplate is six digits every thirty seconds, without a PIN.
func DefaultTemplate() Template {
	return Template{Name: "Standard", Mode: QuickLog, Length: 6, Step: 30, PIN: NoPIN, PINRules: DefaultPINRules(), PINAttempts: 10}
}

// Normal returns the template as it is kept: what its mode, its PIN type or
// another setting makes meaningless stands at its default, whatever was left there from
// when it meant something (CRED-4a).
func (t Template) Normal() Template {
	none := DefaultTemplate()
	if t.Mode == ChallengeResponse {
		t.Step = none.Step
	}
	if t.PIN != UserPIN {
		t.PINRules, t.PINAttempts, t.Biometric = none.PINRules, none.PINAttempts, none.Biometric
	}
	if t.TrivialPINs {
		t.Stricter = false
	}
	return t
}

func (t Template) normal() Document { return t.Normal() }

// Kind returns KindTemplate.
func (Template) Kind() Kind { return KindTemplate }

// Validate reports all that is wrong.
func (t Template) Validate() error {
	var ps Problems
	t.check(&ps, "")
	return ps.err()
}

// check notes what is wrong; at stands before the names of the fields.
func (t Template) check(ps *Problems, at string) {
	switch {
	case t.Name == "":
		ps.add(at+"name", "missing")
	case len(t.Name) > identity.MaxName:
		ps.add(at+"name", "length", "most", identity.MaxName)
	}
	oneOf(ps, at+"mode", t.Mode, QuickLog, ChallengeResponse)
	oneOf(ps, at+"length", t.Length, 6, 8)
	oneOf(ps, at+"step", t.Step, 0, 30, 60)
	oneOf(ps, at+"pin", t.PIN, NoPIN, UserPIN, ServerSidePIN)
	ps.within(at+"pin_length", t.PINLength, 4, 8)
	if t.PIN == ServerSidePIN && t.Mode == ChallengeResponse {
		ps.add(at+"pin", "pin-mode")
	}
	oneOf(ps, at+"complexity", t.Complexity, Decimal, StrongAlphanumeric)
	ps.within(at+"pin_attempts", t.PINAttempts, 1, 20)
}

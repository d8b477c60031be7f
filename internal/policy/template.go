package policy

import "github.com/latchkey-id/latchkey/internal/identity"

// Values of Template.Mode and Template.PIN (CRED-3, CRED-5).
const (
	QuickLog          = "quick-log"          // the app shows passcodes
	ChallengeResponse = "challenge-response" // the login page shows a challenge, which the app answers
	NoPIN             = "none"
	UserPIN           = "user"   // chosen by the user, asked for by the app
	ServerSidePIN     = "server" // typed together with the passcode; see [ServerPIN]
)

// A Template holds the properties of app authenticators that are enrolled from
// now on. Each authenticator stores a copy, so that a change does not affect
// existing ones. The document of this kind is the tenant's standard template;
// [Templates] holds further ones.
type Template struct {
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Length int64  `json:"length"` // digits of a passcode, or of a response
	Step   int64  `json:"step"`   // seconds of a TOTP step; 0 means event-based (HOTP)
	PIN    string `json:"pin"`
	PINRules
	PINAttempts int64 `json:"pin_attempts"` // consecutive wrong PINs that lock the authenticator permanently (CRED-7)
	Biometric   bool  `json:"biometric"`    // biometrics may replace typing the PIN (CRED-8)
}

// DefaultTemplate has six digits, a step of 30 seconds and no PIN.
func DefaultTemplate() Template {
	return Template{Name: "Standard", Mode: QuickLog, Length: 6, Step: 30, PIN: NoPIN, PINRules: DefaultPINRules(), PINAttempts: 10}
}

// Normalize returns the template as it is stored. Settings that have no effect
// because of the mode, the PIN type or another setting are reset to their
// defaults (CRED-4a).
func (t Template) Normalize() Template {
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

func (t Template) normalize() Document { return t.Normalize() }

// Kind returns KindTemplate.
func (Template) Kind() Kind { return KindTemplate }

// Validate reports everything that is wrong.
func (t Template) Validate() error {
	var ps Problems
	t.check(&ps, "")
	return ps.err()
}

// check records what is wrong. at is the prefix of the field names.
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
	ps.inRange(at+"pin_length", t.PINLength, 4, 8)
	if t.PIN == ServerSidePIN && t.Mode == ChallengeResponse {
		ps.add(at+"pin", "pin-mode")
	}
	oneOf(ps, at+"complexity", t.Complexity, Decimal, StrongAlphanumeric)
	ps.inRange(at+"pin_attempts", t.PINAttempts, 1, 20)
}

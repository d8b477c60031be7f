package policy

import "github.com/latchkey-id/latchkey/identity"

// Modes and PIN types of a Template (CRED-3, CRED-5).
const (
	QuickLog = "quick-log" // the app shows passcodes
	NoPIN    = "none"
)

// A Template says what an app token enrolled from now on is like. A copy of it
// goes into the authenticator, so that a change touches none that exists.
type Template struct {
	Name      string `json:"name"`
	Mode      string `json:"mode"`
	Length    int64  `json:"length"` // digits of a passcode
	Step      int64  `json:"step"`   // seconds
	PIN       string `json:"pin"`
	Biometric bool   `json:"biometric"` // unlock instead of typing a PIN (CRED-8)
}

// DefaultTemplate is six digits every thirty seconds, without a PIN.
func DefaultTemplate() Template {
	return Template{Name: "Standard", Mode: QuickLog, Length: 6, Step: 30, PIN: NoPIN}
}

// Kind returns KindTemplate.
func (Template) Kind() Kind { return KindTemplate }

// Validate reports all that is wrong.
func (t Template) Validate() error {
	var ps Problems
	switch {
	case t.Name == "":
		ps.add("name", "missing")
	case len(t.Name) > identity.MaxName:
		ps.add("name", "length", "most", identity.MaxName)
	}
	oneOf(&ps, "mode", t.Mode, QuickLog)
	oneOf(&ps, "length", t.Length, 6, 8)
	oneOf(&ps, "step", t.Step, 30, 60)
	oneOf(&ps, "pin", t.PIN, NoPIN)
	if t.Biometric && t.PIN == NoPIN {
		ps.add("biometric", "biometric")
	}
	return ps.err()
}

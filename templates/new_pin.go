package templates

// A FirstPIN is the initial PIN of an authenticator that has just been set up.
// Every page shows it until it was used.
type FirstPIN struct {
	PIN           string
	AfterPasscode bool // it is typed after the passcode, and not before
	Change        bool // another must be chosen at its first use
}

// NewPIN asks for a PIN that replaces the initial one. Fields: new, again.
// Buttons: continue, back, cancel.
type NewPIN struct {
	Application          string
	Name                 string
	MinLength, MaxLength int  // digits
	TrivialAllowed       bool // whether PINs such as 1234 are allowed
	AfterPasscode        bool // it is typed after the passcode, and not before
}

func (NewPIN) template() string { return "new_pin.html" }
func (NewPIN) heading() Text    { return Text{Key: "newpin.heading"} }

package templates

// A FirstPIN goes with the authenticator that was set up a moment ago. Every page
// says it until it was used.
type FirstPIN struct {
	PIN    string
	After  bool // it is typed after the passcode, and not before
	Change bool // another is chosen at its first use
}

// NewPIN asks for a PIN in the place of the one that was handed out. Fields:
// new, again. Buttons: continue, back, cancel.
type NewPIN struct {
	Application string
	Name        string
	Least, Most int  // digits
	Trivial     bool // whether such as 1234 are allowed
	After       bool // it is typed after the passcode, and not before
}

func (NewPIN) template() string { return "new_pin.html" }
func (NewPIN) heading() Text    { return Text{Key: "newpin.heading"} }

package templates

import "strings"

// Challenge shows a challenge, and asks for the response that an authenticator
// computes from it (CRED-3). Fields: response. Buttons: continue, new where the
// challenge expired, recovery, back, cancel.
type Challenge struct {
	Application string
	Name        string
	Digits      string // eight; empty once it expired
	Only        bool   // there is no other method: the page follows the password
	Recovery    bool   // with Only: a recovery code may be used instead
}

func (Challenge) template() string { return "challenge.html" }

func (b Challenge) heading() Text {
	if b.Digits == "" {
		return Text{Key: "challenge.over.heading"}
	}
	return Text{Key: "challenge.heading"}
}

// Spaced is the challenge with a space between digits, so that a screen reader
// reads each.
func (b Challenge) Spaced() string { return strings.Join(strings.Split(b.Digits, ""), " ") }

// Grouped is the challenge in two groups, for people.
func (b Challenge) Grouped() string {
	half := len(b.Digits) / 2
	return b.Digits[:half] + "\u00a0" + b.Digits[half:]
}

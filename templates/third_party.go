package templates

import "html/template"

// EnrollThirdParty shows a secret for another vendor's authenticator app, and
// asks for a passcode of that app (ENR-12). Fields: passcode. Buttons:
// continue, renew, back, cancel.
type EnrollThirdParty struct {
	Application string
	Name        string
	QR          QR           // of the otpauth link
	Link        template.URL // the otpauth link, on a phone or tablet that may have the app; else empty
	Secret      string       // for typing, in groups of four
	Left        int          // seconds until the secret expires
	Over        bool         // it expired or was replaced: a new one is needed
	Typed       string       // value of the field when another language was picked (ENR-13)
}

func (EnrollThirdParty) template() string { return "enroll_third_party.html" }
func (EnrollThirdParty) heading() Text    { return Text{Key: "enroll.third.heading"} }

// Minutes are the minutes left, rounded up.
func (b EnrollThirdParty) Minutes() int { return (b.Left + 59) / 60 }

// Instructions are the steps, in order.
func (b EnrollThirdParty) Instructions() []Text {
	return []Text{{Key: "enroll.third.add"}, {Key: "enroll.third.scan"}, {Key: "enroll.third.type"}}
}

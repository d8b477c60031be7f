package templates

import "html/template"

// EnrollPrivacyIDEA shows a QR code for the privacyIDEA Authenticator
// (PUSH-24). It has a Stream. Buttons: continue (as on Push), renew, back,
// cancel.
type EnrollPrivacyIDEA struct {
	Application string
	Name        string
	QR          QR           // of the link
	Link        template.URL // the otpauth link, on a phone or tablet that may have the app; else empty
	Install     string       // where to install the app; may be empty
	Left        int          // seconds until the enrolment expires
	Over        bool         // it expired or was replaced: a new one is needed
}

func (EnrollPrivacyIDEA) template() string { return "enroll_privacyidea.html" }
func (EnrollPrivacyIDEA) heading() Text    { return Text{Key: "enroll.privacyidea.heading"} }

// Minutes are the minutes left, rounded up.
func (b EnrollPrivacyIDEA) Minutes() int { return (b.Left + 59) / 60 }

// Instructions are the steps, in order.
func (b EnrollPrivacyIDEA) Instructions() []Text {
	return []Text{{Key: "enroll.privacyidea.install"}, {Key: "enroll.privacyidea.scan"}, {Key: "enroll.privacyidea.wait"}}
}

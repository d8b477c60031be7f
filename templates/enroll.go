package templates

import "github.com/latchkey-id/latchkey/internal/identity"

// EnrollOffer offers to set up an authenticator. Buttons: enrol, back, cancel.
type EnrollOffer struct {
	Application string
	Name        string
	Address     string // where the code will go, masked; empty unless a password was proved (ENR-4)
}

func (EnrollOffer) template() string { return "enroll_offer.html" }
func (EnrollOffer) heading() Text    { return Text{Key: "enroll.offer.heading"} }

// EnrollCode asks for the verification code. Fields: code. Buttons: continue,
// resend, back, cancel.
type EnrollCode struct {
	Application string
	Name        string
	Address     string // where it was sent, masked; empty shows a sentence that does not tell whether the user exists (ENR-4)
	ResendIn    int    // seconds until another may be sent
	Minutes     int    // the code is valid for
	Typed       string // value of the field when another language was picked (ENR-13)
}

func (EnrollCode) template() string { return "enroll_code.html" }
func (EnrollCode) heading() Text    { return Text{Key: "enroll.code.heading"} }

// EnrollPlatform asks where the authenticator will be. Fields: platform.
// Buttons: continue, back, cancel.
type EnrollPlatform struct {
	Application string
	Name        string
	Platforms   []PlatformChoice
}

func (EnrollPlatform) template() string { return "enroll_platform.html" }
func (EnrollPlatform) heading() Text    { return Text{Key: "enroll.platform.heading"} }

// A PlatformChoice is one row of the page.
type PlatformChoice struct {
	Platform    identity.Platform
	Here        bool // the device on which this page is read
	Preselected bool
}

// Title is the large text of the row.
func (c PlatformChoice) Title() Text {
	switch {
	case c.Here && c.Platform.Mobile():
		return Text{Key: "platform.here.phone"}
	case c.Here:
		return Text{Key: "platform.here.computer"}
	}
	return Text{Key: "platform.on." + string(c.Platform)}
}

// Kind is the small text of the row; empty when the title says all.
func (c PlatformChoice) Kind() Text {
	switch {
	case c.Here, c.Platform == identity.ThirdParty:
		return Text{Key: "platform." + string(c.Platform)}
	case c.Platform == identity.PrivacyIDEA:
		return Text{Key: "enroll.privacyidea.kind"}
	}
	return Text{}
}

// EnrollScan shows the activation. It has a Stream. Buttons: continue (as on
// Push), renew, back, cancel.
type EnrollScan struct {
	Application string
	Name        string
	Platform    identity.Platform
	Here        bool   // the authenticator will be on the device on which this page is read: there is a button and no QR code (ENR-7)
	Link        string // the activation link, its secret in the fragment
	Install     string // where to install the app first; empty when the link leads to it
	QR          QR     // of the link
	Code        string // the short code, in groups
	Address     string // where to type it, without the scheme
	Left        int    // seconds until the activation expires
	Taken       bool   // an app has used the activation and is being set up
	PIN         string // with Taken: the initial PIN that the app asks for, in groups; may be empty (CRED-5)
	Over        bool   // it expired or was replaced: a new one is needed
}

func (EnrollScan) template() string { return "enroll_scan.html" }

func (b EnrollScan) heading() Text {
	switch {
	case b.Over:
		return Text{Key: "enroll.scan.heading.over"}
	case b.Taken:
		return Text{Key: "enroll.scan.heading.taken"}
	case b.Here:
		return Text{Key: "enroll.here.heading"}
	case b.Platform == identity.WindowsMobile: // whose camera reads no codes
		return Text{Key: "enroll.scan.heading.windows-mobile"}
	case b.Platform.Mobile():
		return Text{Key: "enroll.scan.heading"}
	}
	return Text{Key: "enroll.scan.computer"}
}

// ShowsQR reports whether there is a QR code: for another device whose camera reads one.
func (b EnrollScan) ShowsQR() bool {
	return !b.Here && !b.Taken && !b.Over && b.Platform != identity.WindowsMobile
}

// Minutes are the minutes left, rounded up.
func (b EnrollScan) Minutes() int { return (b.Left + 59) / 60 }

// A Step is one of the steps to an authenticator.
type Step struct {
	Icon string // "open", "scan", "install" or "ready"
	Text Text
}

// Instructions are the steps, in order. A Windows phone installs nothing but an app by a
// link: its browser makes no app of a page.
func (b EnrollScan) Instructions() []Step {
	kind := "other"
	switch b.Platform {
	case identity.IOS, identity.Android, identity.WindowsMobile:
		kind = string(b.Platform)
	}
	first := Step{"scan", Text{Key: "enroll.how." + kind + ".scan"}}
	switch {
	case b.Here:
		first = Step{"open", Text{Key: "enroll.how." + kind + ".here"}}
	case b.Platform == identity.WindowsMobile:
		first.Icon = "open"
	}
	steps := []Step{first}
	switch {
	case b.Install != "":
		steps = append([]Step{{"install", Text{Key: "enroll.how.link"}}}, steps...)
	case b.Platform != identity.WindowsMobile:
		steps = append(steps, Step{"install", Text{Key: "enroll.how." + kind + ".install"}})
	}
	return append(steps, Step{"ready", Text{Key: "enroll.how." + kind + ".activate"}})
}

// A QR code: the dark modules as the data of one SVG path, in units of a
// module, without quiet zone.
type QR struct {
	Path string
	Size int // modules a side
}

// Box is the view box, with the quiet zone of four modules the standard asks
// for (ISO/IEC 18004, section 9.1).
func (q QR) Box() [4]int { return [4]int{-4, -4, q.Size + 8, q.Size + 8} }

// EnrollNoMail says that there is no address to send a code to. Buttons: back,
// cancel.
type EnrollNoMail struct {
	Application string
	Name        string
}

func (EnrollNoMail) template() string { return "enroll_nomail.html" }
func (EnrollNoMail) heading() Text    { return Text{Key: "enroll.nomail.heading"} }

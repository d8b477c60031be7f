package e2e

import (
	"fmt"
	"regexp"
	"testing"
)

// What tells the pages of a journey apart, whatever their language: the one
// field or button that only this page has.
const (
	identify = `#username:not([readonly])`
	password = `#password`
	choose   = `.ways`
	offer    = `button[name="do"][value="enrol"]`
	mailCode = `#code`
	platform = `input[name="platform"]`
	scan     = `button[value="renew"]`
	waiting  = `.number`
	passcode = `#passcode`
)

// press is the button of a journey's page that does this.
func press(do string) string { return fmt.Sprintf(`button[name="do"][value=%q]`, do) }

// way is the row of the page of choice that confirms in this way.
func way(kind string) string { return fmt.Sprintf(`.ways button[value=%q]`, kind) }

// A Flow is one person's sign-in to an application, step by step: in a browser on
// the desk, and in another that shares nothing with it, the phone.
type Flow struct {
	Demo  *Demo
	Desk  *Browser
	Phone *Phone
	User  User
	App   Application

	// OnPage, if not nil, is called on each page of the desk before it is left.
	OnPage func(page string)
}

// NewFlow starts a demo, and browsers for somebody in it who has no
// authenticator yet.
func NewFlow(t *testing.T, protocol string, profile Profile) *Flow {
	t.Helper()
	d := StartDemo(t)
	process := chromium(t)
	return &Flow{
		Demo:  d,
		Desk:  Browse(t, process, profile),
		Phone: &Phone{Browser: Browse(t, process, Profile{Phone: true, Lang: profile.Lang}), demo: d},
		User:  d.Newcomer(),
		App:   d.Application(protocol),
	}
}

func (w *Flow) at(page, selector string) {
	w.Desk.t.Helper()
	w.Desk.See(selector)
	if w.OnPage != nil {
		w.OnPage(page)
	}
}

// SignIn goes from the application to the password accepted.
func (w *Flow) SignIn() {
	w.Desk.t.Helper()
	w.Desk.Open(w.App.URL)
	w.at("identify", identify)
	w.Desk.Type(identify, w.User.Name)
	w.Desk.Follow(press("continue"))
	w.at("password", password)
	w.Desk.Type(password, w.User.Password)
	w.Desk.Follow(press("continue"))
}

// VerifyMail goes from the offer to the mailed code accepted.
func (w *Flow) VerifyMail() {
	w.Desk.t.Helper()
	before := len(w.Demo.mailsTo(w.User.Mail))
	w.TypeMailed(func() string { return w.Demo.AwaitCode(w.User, before) })
}

// TypeMailed goes from the offer to a code accepted that comes by mail once it
// was asked for.
func (w *Flow) TypeMailed(code func() string) {
	w.Desk.t.Helper()
	w.at("offer", offer)
	w.Desk.Follow(press("enrol"))
	w.at("code", mailCode)
	w.Desk.Type(mailCode, code())
	w.Desk.Follow(press("continue"))
}

// PickPlatform chooses what the authenticator will run on.
func (w *Flow) PickPlatform(kind string) {
	w.Desk.t.Helper()
	w.at("platform", platform)
	w.Desk.Click(fmt.Sprintf(`label:has(input[value=%q])`, kind))
	w.Desk.Follow(press("continue"))
	w.at("scan", scan)
}

// ShortCode reads the code to type from the page that shows the QR code. Where there is
// a button in its place, as the authenticator will be on this device, it is behind a
// link.
func (w *Flow) ShortCode() string {
	w.Desk.t.Helper()
	if !w.Desk.Has(`svg.qr`) {
		w.Desk.Click(`details:has(#short-code) > summary`)
	}
	return w.Desk.Text(`#short-code`)
}

// Enroll goes from the offer to an authenticator on the phone. The desk goes on by
// itself, or by its button where it has no scripts.
func (w *Flow) Enroll(withPush bool) {
	w.Desk.t.Helper()
	w.VerifyMail()
	w.PickPlatform("android")
	w.Phone.Activate(w.ShortCode(), withPush)
	w.continueWithoutScripts()
}

// continueWithoutScripts lets the desk find out what the phone did.
func (w *Flow) continueWithoutScripts() {
	w.Desk.t.Helper()
	if w.Desk.profile.NoScript {
		w.Desk.Follow(press("continue"))
	}
}

// Push goes from the choice to a push approved on the phone.
func (w *Flow) Push() {
	w.Desk.t.Helper()
	w.SendPush()
	w.Phone.Approve(w.Desk.Text(waiting))
	w.continueWithoutScripts()
}

// SendPush goes from the choice to the page that shows the number.
func (w *Flow) SendPush() {
	w.Desk.t.Helper()
	w.Desk.Await("the choice, or the push itself", seen(choose)+" || "+seen(press("push")))
	if w.Desk.Has(choose) {
		w.at("choose", choose)
		w.Desk.Follow(way("push"))
	} else {
		w.Desk.Follow(press("push"))
	}
	w.at("push", waiting)
}

// Passcode goes from the choice to the passcode that the phone shows, typed.
func (w *Flow) Passcode() {
	w.Desk.t.Helper()
	w.TypePasscode(w.Phone.Passcode)
}

// TypePasscode goes from the choice to a passcode typed.
func (w *Flow) TypePasscode(shown func() string) {
	w.Desk.t.Helper()
	w.Desk.Await("the choice, or the passcode's field", seen(choose)+" || "+seen(passcode))
	if w.Desk.Has(choose) {
		w.at("choose", choose)
		w.Desk.Follow(way("passcode"))
	}
	w.at("passcode", passcode)
	w.Desk.Type(passcode, shown())
	w.Desk.Follow(press("continue"))
}

// Arrive waits until the application knows who it is. Without scripts SAML has
// a button on the way.
func (w *Flow) Arrive() {
	w.Desk.t.Helper()
	if w.Desk.profile.NoScript && w.App.Protocol == "saml" {
		w.at("autopost", `#autosubmit button`)
		w.Desk.Follow(`#autosubmit button`)
	}
	w.Desk.Await("being back in "+w.App.Name, fmt.Sprintf(
		`location.href.startsWith(%q) && document.body.innerText.includes(%q)`, w.App.URL, w.User.Name))
}

func seen(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// AwaitCode returns the verification code of the newest mail to a user, if
// there are more than before.
func (d *Demo) AwaitCode(u User, before int) string {
	d.t.Helper()
	mail := d.AwaitMail(u.Mail, before)
	code := sixDigits.FindString(mail.Subject + "\n" + mail.Text)
	if code == "" {
		d.t.Fatalf("a mail without a code: %+v", mail)
	}
	return code
}

package e2e

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/latchkey-id/latchkey/internal/policy"
)

const (
	firstPIN  = `#first-pin`
	newPIN    = `#new`
	typedPIN  = `#sheet #pin`
	onTheDesk = `#again`
)

// A PIN that the server checks, from the page that shows the first one to the one
// that was chosen, typed with passcodes and sent with an approval; and an operator's
// for who forgot it. With scripts, and without them in German.
func TestCRED5_ServerPINInTheBrowsers(t *testing.T) {
	t.Parallel()
	needAxe(t)
	for _, tt := range richAndPlain {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := StartServer(t, "")
			h.template(func(p *policy.Template) { p.PIN, p.Step = policy.ServerSidePIN, 0 })
			w := h.onDesk(tt.profile, true)
			app, b := w.Phone, w.Desk
			lang := b.Attribute("html", "lang")
			made := ""
			next := func() string {
				app.Click(makeIt)
				app.Await("another passcode", fmt.Sprintf(`((otp) => /^\d{6}$/.test(otp) && otp !== %q)(document.querySelector(".account .otp").innerText.replace(/\D/g, ""))`, made))
				made = app.Passcode()
				return made
			}
			b.See(firstPIN)
			b.checkLayout("first-pin-" + lang)
			pin := regexp.MustCompile(`\b[0-9]{4}\b`).FindString(b.Text(firstPIN))
			if b.Has(choose) {
				b.Follow(way("passcode"))
			}
			b.See(firstPIN)
			b.Type(passcode, next())
			b.Follow(press("continue"))
			b.See(`#problem`)
			b.Type(passcode, pin+next())
			b.Follow(press("continue"))
			choosePIN := func(wanted, again string) {
				b.See(newPIN)
				b.Type(newPIN, wanted)
				b.Type(onTheDesk, again)
				b.Follow(press("continue"))
			}
			b.See(newPIN)
			b.checkLayout("new-pin-" + lang)
			choosePIN("1234", "1234")
			b.See(`#problem`)
			choosePIN("4938", "4938")
			b.See(press("logout"))
			b.Follow(press("logout"))

			w.SignIn()
			w.TypePasscode(func() string {
				b.screenshot("passcode-pin-" + lang)
				return "4938" + next()
			})
			b.See(press("logout"))
			b.Follow(press("logout"))

			w.SignIn()
			w.SendPush()
			app.at("request", number)
			app.Type(number, b.Text(waiting))
			app.Click(submit)
			app.See(typedPIN)
			app.Inspect("app-server-pin-" + lang)
			app.Type(typedPIN, "4939")
			app.Click(submit)
			app.See(`#sheet .error`)
			app.Type(typedPIN, "4938")
			app.Click(submit)
			app.Await("the outcome", seen(done))
			app.Click(done)
			w.continueWithoutScripts()
			b.See(press("logout"))
			b.Follow(press("logout"))

			var row struct{ PIN string }
			h.run(&row, "", "authenticator", "reset-pin", h.serial(h.User.Name))
			w.SignIn()
			w.TypePasscode(func() string { return row.PIN + next() })
			choosePIN("4938", "4938")
			b.See(`#problem`)
			choosePIN("7715", "7715")
			b.See(press("logout"))

			b.Follow(`nav a[href$="/me/authenticators"]`)
			b.Follow(`.item h2 a`)
			b.Follow(`a[href*="/me/pin/"]`)
			b.checkLayout("me-pin-" + lang)
			b.Type(newPIN, "8264")
			b.Type(onTheDesk, "8264")
			b.Follow(press("change"))
			b.See(`.notice.good`)
			b.Follow(press("logout"))
			w.SignIn()
			w.TypePasscode(func() string { return "8264" + next() })
			b.See(press("logout"))
		})
	}
}

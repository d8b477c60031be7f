package e2e

import (
	"strings"
	"testing"
)

// A password changed on one's own pages: what is wrong is said in words, another
// browser is signed out, and the new one signs in; with scripts, and without them
// in German on a phone.
func TestTLOG29_ChangeThePassword(t *testing.T) {
	t.Parallel()
	for _, tt := range richAndPlain {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := StartServer(t, "")
			process := chromium(t)
			me := Application{Name: selfService, URL: h.Issuer() + "/me"}
			b := Browse(t, process, tt.profile)
			h.SignIn(b, me.URL)
			b.See(press("logout"))
			b.Follow(`nav a[href$="/me/security"]`)
			b.Follow(`a[href$="/me/password"]`)
			change := func(old, wanted, again string) {
				b.Type(`#old`, old)
				b.Type(`#new`, wanted)
				b.Type(`#again`, again)
				b.Follow(press("change"))
			}
			b.See(`#old`)
			b.screenshot("me-password-" + b.Attribute("html", "lang"))
			change(h.User.Password, "Sommer2026!", "Sommer2026!")
			b.See(`#problem`)
			b.screenshot("me-password-problem-" + b.Attribute("html", "lang"))
			change("not this one", "vier gelbe Stühle", "vier gelbe Stühle")
			b.See(`#problem`)
			change(h.User.Password, "vier gelbe Stühle", "vier gelbe Tische")
			b.See(`#problem`)
			change(h.User.Password, "vier gelbe Stühle", "vier gelbe Stühle")
			b.See(`.notice.good`)
			b.Follow(press("logout"))

			w := &Flow{Desk: b, User: h.User, App: me}
			w.SignIn()
			w.at("password", password)
			if !b.Has(`#problem`) || strings.Contains(b.URL().Path, "/me") {
				t.Error("the old password was taken")
			}
			b.Type(password, "vier gelbe Stühle")
			b.Follow(press("continue"))
			b.See(passcode)
		})
	}
}

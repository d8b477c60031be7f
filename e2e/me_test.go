package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// One's own pages, from a login to all that can be done there: a second
// authenticator with the first, its name, whether it works, where one is signed
// in, what happened, and the first reported lost.
func TestCRED16_SelfService(t *testing.T) {
	t.Parallel()
	for _, tt := range richAndPlain {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := StartServer(t, "")
			process := chromium(t)
			me := Application{Name: selfService, URL: h.Issuer() + "/me"}
			w := &Flow{Desk: Browse(t, process, tt.profile), User: h.User, App: me}
			b := w.Desk
			seen := func(page string) { b.screenshot("me-" + page + "-" + b.Attribute("html", "lang")) }
			activate := func(p *phone.Phone, name string) (code func() string) {
				account, err := p.Activate(t.Context(), phone.Activation{Base: h.Base, Code: w.ShortCode(), Name: name})
				if err != nil {
					t.Fatal(err)
				}
				w.continueWithoutScripts()
				return func() string {
					made, err := p.Passcode(t.Context(), account.ID)
					if err != nil {
						t.Fatal(err)
					}
					return made.Code
				}
			}
			w.SignIn()
			w.TypeMailed(h.awaitCode)
			w.PickPlatform("linux")
			first := activate(h.phone, "Terminal")
			w.TypePasscode(first)
			b.See(press("logout"))
			seen("overview")

			b.Follow(`nav a[href$="/me/authenticators"]`)
			b.Follow(`a[href$="/me/add"]`)
			seen("add")
			b.Follow(press("add"))
			w.PickPlatform("android")
			second := activate(&phone.Phone{Dir: filepath.Join(t.TempDir(), "second")}, "Laptop")
			b.See(`a.button[href$="/me/authenticators"]`)
			seen("added")
			b.Follow(`a.button[href$="/me/authenticators"]`)
			seen("authenticators")
			if got := b.Text("main"); !strings.Contains(got, "Terminal") || !strings.Contains(got, "Laptop") {
				t.Errorf("of two authenticators the page names %q", got)
			}

			b.Follow(`.item:nth-of-type(2) a`)
			b.Type(`#name`, "Work laptop")
			b.Follow(press("rename"))
			b.Follow(`a[href*="fresh=now"]`)
			w.TypePasscode(second)
			b.See(`.tag.on`)
			seen("tried")

			other := &Flow{Desk: Browse(t, process, Profile{}), User: h.User, App: me}
			other.SignIn()
			h.phone.Now = func() time.Time { return time.Now().Add(30 * time.Second) } // the passcode of now may be used up
			other.TypePasscode(first)
			other.Desk.See(press("logout"))
			b.Follow(`nav a[href$="/me/sessions"]`)
			seen("sessions")
			b.Follow(`button[name="session"]`)
			if b.Has(`button[name="session"]`) {
				t.Error("another session is there after it was ended")
			}
			other.Desk.Open(me.URL)
			other.Desk.See(identify)

			b.Follow(`a[href$="/me/history"]`)
			seen("history")
			if !b.Has(`main time`) {
				t.Error("nothing happened, says the history")
			}

			b.Follow(`nav a[href$="/me/security"]`)
			b.Follow(`a[href$="/me/recovery-codes"]`)
			b.Follow(press("make"))
			b.See(`.codes`)
			b.Reload() // which makes no others, and is no mistake
			b.See(`.notice.good`)
			if b.Has(`.codes`) || b.Has(`#problem`) {
				t.Errorf("after a reload of the recovery codes: %q", b.Text("main"))
			}

			b.Follow(`nav a[href$="/me/authenticators"]`)
			b.Follow(`.item:nth-of-type(1) a`)
			b.Click(`details:has(button[value="lost"]) > summary`)
			seen("lost")
			b.Follow(press("lost"))
			if got := b.Text("main"); strings.Contains(got, "Terminal") || !strings.Contains(got, "Work laptop") {
				t.Errorf("after one was reported lost the page names %q", got)
			}
			seen("one")
		})
	}
}

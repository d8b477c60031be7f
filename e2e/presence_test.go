package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// require sets the presence check of the demo's pushes.
func (d *Demo) require(presence string) {
	d.t.Helper()
	d.setPolicy("push", fmt.Sprintf(`{"presence":%q}`, presence))
}

// Pick presses the one of the phone's numbers that right says yes to, and leaves
// the outcome on the screen. The phone shows three, and what the desk shows.
func (p *Phone) Pick(shown string, right func(option string) bool) {
	p.t.Helper()
	p.at("pick", picks)
	options, err := evaluate[[]string](p.Browser, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((b) => b.innerText.trim())`, picks))
	if err != nil {
		p.t.Fatal(err)
	}
	if len(options) != 3 || !slices.Contains(options, shown) {
		p.t.Errorf("the phone shows %q, the desk %s", options, shown)
	}
	p.Click(fmt.Sprintf(`%s:nth-child(%d)`, picks, slices.IndexFunc(options, right)+1))
	p.See(done)
}

// Every presence check in the web authenticator and on the page that waits,
// with scripts and without, from the left and from the right.
func TestPUSH18_EveryCheckInBrowsers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		presence string
		profile  Profile
	}{
		{"pick", Profile{}},
		{"six-digits", Profile{Lang: "ar"}},
		{"none", Profile{NoScript: true}},
	} {
		t.Run(tt.presence, func(t *testing.T) {
			t.Parallel()
			w := NewFlow(t, "oidc", tt.profile)
			w.Demo.require(tt.presence)
			w.SignIn()
			w.Enroll(true)
			w.Desk.See(choose)
			w.Desk.Follow(way("push"))
			w.Desk.See(`[role="timer"]:not([aria-live])`)
			switch tt.presence {
			case "pick":
				shown := w.Desk.Text(waiting)
				if !w.Desk.Has(`button[value="again"]:disabled`) {
					t.Error("another may be sent at once")
				}
				w.Desk.Await("the announcement", `document.querySelector("[role=status][data-say]").textContent !== ""`)
				w.Phone.Pick(shown, func(option string) bool { return option == shown })
			case "six-digits":
				shown := w.Desk.Text(waiting)
				if len(strings.Fields(shown)) != 2 {
					t.Errorf("six digits are shown as %q, want two groups", shown)
				}
				w.Phone.EnterNumber(shown) // with the space, as it is copied
			case "none":
				if w.Desk.Has(waiting) || w.Desk.Has(`progress:not([hidden])`) {
					t.Error("shows a number, or a bar that stands still")
				}
				w.Phone.See(`#sheet form .pair`)
				w.Phone.Click(submit)
				w.Phone.See(done)
			}
			w.continueWithoutScripts()
			w.Arrive()
		})
	}
}

// A wrong pick ends the request at once, in words on both sides, and lets nobody
// in (PUSH-17).
func TestPUSH17_AWrongPick(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{Lang: "de"})
	w.Demo.require("pick")
	w.SignIn()
	w.Enroll(true)
	w.SendPush()
	shown := w.Desk.Text(waiting)
	w.Phone.Pick(shown, func(option string) bool { return option != shown })
	w.Desk.Await("the end of the push request", "!"+fmt.Sprintf("(%s)", seen(waiting)))
	if got, want := w.Desk.Text("h1"), "Die Zahl stimmte nicht"; got != want {
		t.Errorf("the desk says %q, want %q", got, want)
	}
	if u := w.Desk.URL().String(); !strings.HasPrefix(u, w.Demo.Base) {
		t.Errorf("a wrong pick led to %s", u)
	}
}

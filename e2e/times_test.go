package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// Times are kept in UTC, whatever zone the server's machine is in, and each reader sees
// them in the zone and the language of their own browser; without scripts in UTC, which
// is said. (Tried without localise in login.js: the text stayed in UTC.)
func TestQLT8_TimesInTheReadersZone(t *testing.T) {
	t.Parallel()
	h := newServer(t, "http://"+freeAddr(t), "", "LATCHKEY_MAIL_FOLDER=mails", "TZ=America/New_York")
	h.start()
	h.User = User{Name: "anna.berg", Password: "correct horse battery", Mail: "anna@example.org"}
	h.run(nil, h.User.Password+"\n", "user", "add", h.User.Name, "--mail", h.User.Mail)
	b := Browse(t, chromium(t), Profile{Lang: "de-DE"})
	b.do("set the zone", send(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"}))
	h.SignIn(b, h.Issuer()+"/me")
	b.Follow(`nav a[href$="/me/sessions"]`)
	b.See(`time[datetime]`)
	// Tokyo is nine hours ahead, all year; German writes hours from 0 to 23.
	b.Await("times in Tokyo, in German", `[...document.querySelectorAll("time[datetime]:not([data-day])")].length > 0 &&
		[...document.querySelectorAll("time[datetime]:not([data-day])")].every((shown) => {
			const at = new Date(shown.dateTime), two = (n) => String(n).padStart(2, "0");
			return shown.dateTime.endsWith("Z") && shown.textContent.includes(two((at.getUTCHours() + 9) % 24) + ":" + two(at.getUTCMinutes()));
		})`)
	if title := b.Attribute(`time[datetime]:not([data-day])`, "title"); !strings.Contains(title, "UTC") {
		t.Errorf("the server's own text is %q, want UTC said", title)
	}
	var events []struct {
		At string `json:"at"`
	}
	h.run(&events, "", "audit", "list")
	if len(events) == 0 {
		t.Error("no events")
	}
	for _, e := range events {
		if !strings.HasSuffix(e.At, "Z") {
			t.Errorf("an event at %q, want UTC", e.At)
		}
	}
}

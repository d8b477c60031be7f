package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
)

// The whole way by SAML, with an authenticator enrolled in the middle of it and
// a push approved on the phone. Every page is looked at on the way, as it is served;
// in the other tests axe-core looks at samples of them (TestJRN13_EveryPage).
func TestENR2_SAMLWithPush(t *testing.T) {
	t.Parallel()
	needAxe(t)
	w := NewFlow(t, "saml", Profile{})
	w.OnPage = w.Desk.Inspect
	w.Phone.OnState = w.Phone.Inspect
	w.SignIn()
	w.Enroll(true)
	w.Push()
	w.Arrive()

	w.Desk.Open(w.Demo.Base + "/t/" + w.Demo.Tenant + "/me")
	w.Desk.Follow(`nav a[href$="/me/authenticators"]`)
	w.Desk.See(".item")
	w.Desk.Inspect("me")
}

// The whole way by OpenID Connect, with push declined in the app and a passcode
// read from it.
func TestENR2_OIDCWithPasscode(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "oidc", Profile{})
	w.OnPage = w.Desk.checkLayout
	w.SignIn()
	w.Enroll(false)
	w.Passcode()
	w.Arrive()
}

// Whatever the browser, both ways lead home.
func TestJRN13_EveryBrowserArrives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		profile  Profile
		protocol string
	}{
		{"without scripts", Profile{NoScript: true}, "saml"},
		{"without scripts", Profile{NoScript: true}, "oidc"},
		{"at 320 px", Profile{Width: 320}, "oidc"},
	} {
		t.Run(tt.name+" by "+tt.protocol, func(t *testing.T) {
			w := NewFlow(t, tt.protocol, tt.profile)
			w.OnPage = func(page string) {
				if found := w.Desk.overflow(w.Desk.profile.Width); len(found) > 0 {
					t.Errorf("%s: wider than the window: %q", page, found)
				}
			}
			w.SignIn()
			w.Enroll(true)
			w.Push()
			w.Arrive()
		})
	}
}

// On the very phone that will be the authenticator there is no code to scan but
// a button (ENR-7); what it opens shares the browser with the journey.
func TestENR7_OnTheSamePhone(t *testing.T) {
	t.Parallel()
	d := StartDemo(t)
	b := Browse(t, chromium(t), Profile{Phone: true})
	w := &Flow{Demo: d, Desk: b, Phone: &Phone{Browser: b.Tab(), demo: d}, User: d.Newcomer(), App: d.Application("saml")}
	w.SignIn()
	w.VerifyMail()
	w.PickPlatform("android")
	if b.Has(".qr") {
		t.Error("a phone is asked to scan itself")
	}
	b.checkLayout("scan-here")
	w.Phone.ActivateLink(b.Link(`a.big`), true)
	w.Push()
	w.Arrive()
}

// In their language: the pages, the mail and the app; and where that is read
// from the right, mirrored.
func TestENR13_TheirLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lang, dir string
		mail      *regexp.Regexp // what only a mail in this language has
		brandSide string         // of the window's middle
	}{
		{"de", "ltr", regexp.MustCompile(`(?i)\b(Ihr|Sie|für)\b`), "left"},
		{"ar", "rtl", regexp.MustCompile(`\p{Arabic}{3}`), "right"},
	} {
		t.Run(tt.lang, func(t *testing.T) {
			w := NewFlow(t, "saml", Profile{Lang: tt.lang})
			w.OnPage = func(page string) {
				b := w.Desk
				if got := b.Attribute("html", "lang"); got != tt.lang {
					t.Errorf("%s: lang %q, want %q", page, got, tt.lang)
				}
				if got := b.Attribute("html", "dir"); got != tt.dir {
					t.Errorf("%s: dir %q, want %q", page, got, tt.dir)
				}
				side, err := evaluate[string](b, `(() => {
					const brand = document.querySelector(".brand svg").getBoundingClientRect()
					return brand.x + brand.width / 2 < innerWidth / 2 ? "left" : "right"
				})()`)
				if err != nil {
					t.Fatal(err)
				}
				if side != tt.brandSide {
					t.Errorf("%s: the mark is on the %s, want %s", page, side, tt.brandSide)
				}
				b.checkLayout(tt.lang + "-" + page)
			}
			w.SignIn()
			w.Enroll(true)
			mails := w.Demo.mailsTo(w.User.Mail)
			if got := mails[0].Text; !tt.mail.MatchString(got) {
				t.Errorf("the mail is not in %s:\n%s", tt.lang, got)
			}
			if got := w.Phone.Attribute("html", "lang"); got != tt.lang {
				t.Errorf("the web authenticator speaks %q, want %q", got, tt.lang)
			}
			w.Push()
			w.Arrive()
		})
	}
}

// The server is killed, without a chance to put anything away, while a mailed
// code is awaited, while the QR code is shown, and while a push waits. Each time
// the same browser goes on where it was, and what it was shown still counts.
func TestQLT2_KilledInTheMiddle(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{})
	w.SignIn()
	w.at("offer", offer)
	before := len(w.Demo.mailsTo(w.User.Mail))
	w.Desk.Follow(press("enrol"))
	w.Desk.See(mailCode)
	code := w.Demo.AwaitCode(w.User, before)

	w.Demo.Restart()
	w.Desk.Type(mailCode, code)
	w.Desk.Follow(press("continue"))

	w.PickPlatform("android")
	short := w.ShortCode()
	w.Demo.Restart()
	w.Desk.Reload()
	if got := w.ShortCode(); got != short {
		t.Errorf("after the restart the short code is %s, was %s", got, short)
	}
	w.Phone.Activate(short, true)

	w.SendPush()
	number := w.Desk.Text(waiting)
	w.Demo.Restart()
	w.Desk.Reload()
	if got := w.Desk.Text(waiting); got != number {
		t.Errorf("after the restart the number is %s, was %s", got, number)
	}
	w.Phone.Approve(number)
	w.Arrive()
}

// The push page finds out by itself, too, when the server went away and came
// back while it was open: nobody has to think of reloading.
func TestQLT2_KilledUnderAnOpenPage(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "oidc", Profile{})
	w.SignIn()
	w.Enroll(true)
	w.SendPush()
	number := w.Desk.Text(waiting)
	w.Demo.Restart()
	w.Phone.Approve(number)
	w.Arrive()
}

// Denied: each way has words of its own, and the browser shows them by itself.
func TestPUSH14_Denied(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ how, still string }{
		{"mistake", press("again")},
		{"not-me", press("cancel")},
	} {
		t.Run(tt.how, func(t *testing.T) {
			w := NewFlow(t, "saml", Profile{})
			w.SignIn()
			w.Enroll(true)
			w.SendPush()
			before := w.Desk.Text("h1")
			w.Phone.Deny(tt.how)
			w.Desk.Await("the end of the push request", seen(tt.still)+" && !"+fmt.Sprintf("(%s)", seen(waiting)))
			if got := w.Desk.Text("h1"); got == before {
				t.Errorf("denied, and the heading is still %q", got)
			}
			w.Desk.checkLayout("push-denied-" + tt.how)
		})
	}
}

// A wrong number ends the request at once (PUSH-17).
func TestPUSH17_WrongNumber(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{})
	w.SignIn()
	w.Enroll(true)
	w.SendPush()
	number := "10"
	if w.Desk.Text(waiting) == number {
		number = "99"
	}
	w.Phone.EnterNumber(number)
	w.Desk.Await("the end of the push request", "!"+fmt.Sprintf("(%s)", seen(waiting)))
	if u := w.Desk.URL().String(); len(u) < len(w.Demo.Base) || u[:len(w.Demo.Base)] != w.Demo.Base {
		t.Errorf("a wrong number led to %s", u)
	}
}

// A journey's address means nothing in another browser.
func TestJRN4_OpenedElsewhere(t *testing.T) {
	t.Parallel()
	d := StartDemo(t)
	process := chromium(t)
	mine, theirs := Browse(t, process, Profile{}), Browse(t, process, Profile{})
	mine.Open(d.Application("saml").URL)
	mine.See(identify)
	address := mine.URL().String()

	theirs.Open(address)
	if theirs.Has(identify) {
		t.Error("a journey's address works in another browser")
	}
	status, err := evaluate[int](theirs, `performance.getEntriesByType("navigation")[0].responseStatus`)
	if err != nil {
		t.Fatal(err)
	}
	if status < http.StatusBadRequest || status >= http.StatusInternalServerError {
		t.Errorf("opened elsewhere the address answers %d, want a refusal", status)
	}
	mine.Type(identify, d.Newcomer().Name)
	mine.Follow(press("continue"))
	mine.See(password)
}

// Going back and reloading repeats nothing: one mail was asked for, one is sent.
func TestJRN4_BackAndReload(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{})
	w.SignIn()
	before := len(w.Demo.mailsTo(w.User.Mail))
	w.Desk.Follow(press("enrol"))
	w.Desk.See(mailCode)
	w.Desk.Reload()
	w.Desk.See(mailCode)
	code := w.Demo.AwaitCode(w.User, before)
	w.Desk.Type(mailCode, code)
	w.Desk.Follow(press("continue"))
	w.Desk.See(platform)
	w.Desk.Back()
	w.Desk.Reload()
	w.Desk.See(platform)
	if got := len(w.Demo.mailsTo(w.User.Mail)); got != before+1 {
		t.Errorf("%d mails for one request", got-before)
	}
}

// Picking a language keeps what was typed, and is remembered (ENR-13).
func TestENR13_PickedOnThePage(t *testing.T) {
	t.Parallel()
	for _, noScript := range []bool{false, true} {
		t.Run(fmt.Sprintf("noscript=%t", noScript), func(t *testing.T) {
			d := StartDemo(t)
			b := Browse(t, chromium(t), Profile{NoScript: noScript})
			b.Open(d.Application("saml").URL)
			b.Type(identify, "anna")
			b.Click(`details.menu:has(button[name="language"]) > summary`)
			b.Follow(`button[name="language"][value="de"]`)
			b.See(identify)
			if got := b.Attribute("html", "lang"); got != "de" {
				t.Errorf("after picking German the page is in %q", got)
			}
			if got, _ := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).value`, identify)); got != "anna" {
				t.Errorf("after picking a language the name is %q, typed was anna", got)
			}
			b.Open(d.Application("oidc").URL)
			b.See(identify)
			if got := b.Attribute("html", "lang"); got != "de" {
				t.Errorf("the next journey is in %q, picked was German", got)
			}
		})
	}
}

// A second tab that stood at the sign-in page goes on with the session that the first
// one led to: by its button once it is reloaded, or by typing the same name.
func TestJRN8_ASecondTabGoesOn(t *testing.T) {
	t.Parallel()
	for _, profile := range []Profile{{}, {Lang: "de", NoScript: true, Width: 390}} {
		t.Run(fmt.Sprintf("without scripts %v", profile.NoScript), func(t *testing.T) {
			t.Parallel()
			w := NewFlow(t, "oidc", profile)
			second := *w
			second.Desk, second.App = w.Desk.Tab(), w.Demo.Application("saml") // an application signs in once at a time
			second.Desk.Open(second.App.URL)
			second.at("identify", identify)
			w.SignIn()
			w.Enroll(false)
			w.Passcode()
			w.Arrive()
			if profile.NoScript {
				second.Desk.Type(identify, w.User.Name)
				second.Desk.Follow(press("continue"))
			} else {
				second.Desk.Reload()
				second.Desk.See(press("session"))
				second.Desk.Follow(press("session"))
			}
			second.Arrive()
		})
	}
}

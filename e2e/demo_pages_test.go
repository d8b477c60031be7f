package e2e

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/otp"
)

// The demo's own pages are the first that anybody sees: they are looked at as
// those of a login are, in three languages.
func TestDemoPages(t *testing.T) {
	needAxe(t)
	d := StartDemo(t)
	process := chromium(t)
	w := &Walk{Demo: d, Desk: Browse(t, process, Look{}), User: d.Newcomer(), App: d.Application("saml")}
	w.SignIn()
	w.VerifyMail() // so that there is a mail to look at

	for _, lang := range []string{"en", "de", "ar"} {
		t.Run(lang, func(t *testing.T) {
			b := Browse(t, process, Look{Lang: lang})
			look := func(name string) {
				t.Helper()
				if got := b.Attribute("html", "lang"); got != lang {
					t.Errorf("%s: lang %q, want %q", name, got, lang)
				}
				if b.Has(`main [lang="en"]`) && lang != "en" {
					t.Errorf("%s: a text is missing in %s and shown in English", name, lang)
				}
				b.Inspect("demo-" + name + "-" + lang)
			}
			b.Open(d.Base + "/")
			look("start")
			b.Open(d.Mailbox)
			look("mails")
			b.Follow(`a.choice`)
			look("mail")
			b.Open(d.Base + "/demo/passcodes")
			look("passcodes")

			b.Open(d.Application("oidc").URL)
			b.See(identify)
			b.Follow(press("cancel"))
			look("refused")

			u := d.Owner(lang)
			b.Open(d.Application("saml").URL)
			b.Type(identify, u.Name)
			b.Follow(press("continue"))
			b.Type(password, u.Password)
			b.Follow(press("continue"))
			if b.Has(choose) {
				b.Click(`label:has(input[value="passcode"])`)
				b.Follow(press("continue"))
			}
			seed, err := otp.DecodeSecret(u.Seed)
			if err != nil {
				t.Fatal(err)
			}
			b.Type(passcode, otp.TOTP(seed, otp.Params{}, time.Now()))
			b.Follow(press("continue"))
			b.See(`form[action$="sign-out"]`)
			look("payroll")
			b.Follow(`form[action$="sign-out"] button`)
			look("signed-out")
			b.Open(d.Application("oidc").URL)
			b.See(`form[action$="sign-out"]`)
			look("wiki")
			b.Follow(`form[action$="sign-out"] button`)
			b.See(`a.button[href="/demo/wiki/"]`)
			look("signed-out-both")
		})
	}
}

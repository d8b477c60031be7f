package e2e

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// The demo's own pages are the first that anybody sees: they are looked at as
// those of a login are, in three languages, with scripts and without.
func TestDemoPages(t *testing.T) {
	t.Parallel()
	needAxe(t)
	d := StartDemo(t)
	process := chromium(t)
	var mu sync.Mutex
	looked := make(map[string]bool)
	look := func(b *Browser, page, state string) {
		b.t.Helper()
		lang := b.profile.Lang
		if got := b.Attribute("html", "lang"); got != lang {
			b.t.Errorf("%s: lang %q, want %q", page, got, lang)
		}
		b.inspectFirst("demo-" + page + state + "-" + lang)
		mu.Lock()
		defer mu.Unlock()
		looked[page+".html"] = true
	}
	first := Browse(t, process, Profile{Lang: "en"})
	first.Open(d.Mailbox)
	look(first, "mails", "-none")
	w := &Flow{Demo: d, Desk: first, User: d.Newcomer(), App: d.Application("saml")}
	w.SignIn()
	w.VerifyMail() // so that there is a mail to look at

	t.Run("languages", func(t *testing.T) {
		for _, lang := range inspected {
			t.Run(lang, func(t *testing.T) {
				t.Parallel()
				seed, err := otp.DecodeSecret(d.Owner(lang).Seed)
				if err != nil {
					t.Fatal(err)
				}
				for i, noScript := range []bool{false, true} {
					// A passcode works once: the second is the next one's.
					code := func() string {
						return otp.TOTP(seed, otp.Params{}, time.Now().Add(time.Duration(i)*30*time.Second))
					}
					demoPages(Browse(t, process, Profile{Lang: lang, NoScript: noScript}), d, code, look)
				}
			})
		}
	})
	pages, err := os.ReadDir("../internal/demo/pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !looked[page.Name()] && page.Name() != "layout.html" {
			t.Errorf("demo/pages/%s was not looked at", page.Name())
		}
	}
}

// demoPages goes through all of them, signing in to both applications once.
func demoPages(b *Browser, d *Demo, code func() string, look func(b *Browser, page, state string)) {
	b.t.Helper()
	b.Open(d.Base + "/")
	look(b, "start", "")
	b.Open(d.Mailbox)
	look(b, "mails", "")
	b.Follow(`a.choice`)
	look(b, "mail", "")
	b.Open(d.Base + "/demo/passcodes")
	look(b, "passcodes", "")

	b.Open(d.Application("oidc").URL + "callback?state=of-nobody")
	look(b, "refused", "-lost")
	b.Open(d.Application("oidc").URL)
	b.See(identify)
	b.Follow(press("cancel"))
	look(b, "refused", "")

	u := d.Owner(b.profile.Lang)
	w := &Flow{Demo: d, Desk: b, User: u, App: d.Application("saml")}
	w.SignIn()
	w.TypePasscode(code)
	w.Arrive()
	look(b, "application", "-payroll")
	b.Follow(`form[action$="sign-out"] button`)
	look(b, "signedout", "")
	b.Open(d.Application("oidc").URL)
	b.See(`form[action$="sign-out"]`)
	look(b, "application", "-wiki")
	b.Follow(`form[action$="sign-out"] button`)
	b.See(`a.button[href="/demo/wiki/"]`)
	look(b, "signedout", "-both")
}

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// Who forgot the password types the code from the mail and a passcode, chooses
// another, and is in; with scripts, and without them in German on a phone. One
// that an operator wants changed is changed on the way too.
func TestTLOG02_ForgottenPassword(t *testing.T) {
	t.Parallel()
	for _, tt := range richAndPlain {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := StartServer(t, "")
			h.template(func(p *policy.Template) { p.Step = 0 }) // by a counter: every passcode is another
			b := Browse(t, chromium(t), tt.profile)
			me := h.Issuer() + "/me"
			h.SignIn(b, me)
			b.See(press("logout"))
			b.Follow(press("logout"))
			enrolled := h.awaitCode()

			w := &Flow{Desk: b, User: h.User, App: Application{Name: selfService, URL: me}}
			toPassword := func() {
				b.Open(me)
				w.at("identify", identify)
				b.Type(identify, h.User.Name)
				b.Follow(press("continue"))
				w.at("password", password)
			}
			types := func() string {
				code, err := h.phone.Passcode(context.WithoutCancel(t.Context()), "")
				if err != nil {
					t.Fatal(err)
				}
				return code.Code
			}
			choose := func(wanted, again string) {
				b.See(`#new`)
				b.Type(`#new`, wanted)
				b.Type(`#again`, again)
				b.Follow(press("continue"))
			}
			toPassword()
			b.screenshot("password-forgot-" + b.Attribute("html", "lang"))
			b.Follow(press("forgot"))
			w.at("code", mailCode)
			b.screenshot("reset-code-" + b.Attribute("html", "lang"))
			b.Type(mailCode, "000000")
			b.Follow(press("continue"))
			b.See(`#problem`)
			b.Type(mailCode, h.awaitAnotherCode(enrolled))
			b.Follow(press("continue"))
			w.TypePasscode(types)
			b.See(`#new`)
			b.screenshot("new-password-" + b.Attribute("html", "lang"))
			choose("vier gelbe Stühle", "vier gelbe Tische")
			b.See(`#problem`)
			choose("vier gelbe Stühle", "vier gelbe Stühle")
			b.See(press("logout"))
			b.Follow(press("logout"))

			h.run(nil, "", "user", "set", h.User.Name, "--change-at-login")
			toPassword()
			b.Type(password, "vier gelbe Stühle")
			b.Follow(press("continue"))
			w.TypePasscode(types)
			choose("vier gelbe Stühle", "vier gelbe Stühle")
			b.See(`#problem`)
			b.screenshot("new-password-due-" + b.Attribute("html", "lang"))
			choose("sieben rote Tassen", "sieben rote Tassen")
			b.See(press("logout"))
		})
	}
}

// awaitAnotherCode waits for a mailed code that is not the one known already.
func (s *Server) awaitAnotherCode(known string) string {
	s.t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, code := range s.mailedCodes() {
			if code != known {
				return code
			}
		}
	}
	s.t.Fatalf("no other mail with a code came within %v", maxWait)
	return ""
}

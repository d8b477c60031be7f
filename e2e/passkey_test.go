package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// A passkey added on one's own pages confirms after a password; with a finger that
// is not recognised it does not, and says so; and where policy lets it, it stands
// for name and password too, offered in the field's menu and by a button.
func TestCRED19_PasskeysInTheBrowser(t *testing.T) {
	t.Parallel()
	h := StartServer(t, "")
	w := &Flow{Desk: Browse(t, chromium(t), Profile{Lang: "de-DE"}), User: h.User, App: Application{Name: selfService, URL: h.Issuer() + "/me"}}
	b := w.Desk
	finger := b.addPlatformAuthenticator(false)
	recognised := func(is bool) {
		ask(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: finger, IsUserVerified: is})
	}
	w.SignIn()
	w.TypeMailed(h.awaitCode)
	w.PickPlatform("linux")
	account, err := h.phone.Activate(t.Context(), phone.Activation{Base: h.Base, Code: w.ShortCode(), Name: "Terminal"})
	if err != nil {
		t.Fatal(err)
	}
	w.TypePasscode(func() string {
		code, err := h.phone.Passcode(t.Context(), account.ID)
		if err != nil {
			t.Fatal(err)
		}
		return code.Code
	})

	const make, use, alone = `button[data-creation]`, `button[data-do="continue"]`, `button[data-offer]`
	b.Follow(`nav a[href$="/me/security"]`)
	b.Follow(`a[href$="/me/passkeys"]`)
	b.See(make)
	b.screenshot("me-passkeys-none-de")
	b.Follow(make) // nobody has to name it
	b.See(`.notice.good`)
	if got := b.Text("main"); !strings.Contains(got, "Passkey, Chrome") {
		t.Errorf("the page does not list the passkey:\n%s", got)
	}
	b.screenshot("me-passkeys-de")

	b.Follow(press("logout"))
	w.SignIn()
	b.screenshot("choose-passkey-de")
	recognised(false)
	b.Follow(way("passkey")) // the page asks the browser by itself
	b.See(`#passkey-problem:not([hidden])`)
	b.screenshot("passkey-de")
	recognised(true)
	b.Follow(use)
	b.See(press("logout"))

	h.setPolicy("credentials", `{"passkeys": "passwordless"}`)
	b.Follow(press("logout"))
	recognised(false)
	b.Open(w.App.URL)
	b.See(alone)
	b.screenshot("identify-passkey-de")
	b.Click(alone)
	b.See(`#passkey-problem:not([hidden])`)
	recognised(true)
	b.Follow(alone)
	b.See(press("logout"))
	if got := b.Text("main"); !strings.Contains(got, h.User.Name) {
		t.Errorf("not signed in as %s:\n%s", h.User.Name, got)
	}

	b.Follow(press("logout"))
	b.Open(w.App.URL) // the field's menu, where nobody has to open it
	b.See(press("logout"))
}

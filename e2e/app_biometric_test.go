package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/webauthn"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

const (
	touchIt     = `#sheet form > button.plain`
	setTouchUp  = `#pin-settings button:nth-of-type(2)`
	setTouchNow = `#sheet form > button`
)

// addPlatformAuthenticator gives the browser a platform authenticator that verifies
// its user, with the PRF extension or without.
func (b *Browser) addPlatformAuthenticator(prf bool) webauthn.AuthenticatorID {
	b.t.Helper()
	ask(b, webauthn.Enable, webauthn.EnableParams{})
	return ask(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, HasPrf: prf, IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
}

// A finger in place of the PIN, in a browser with PRF and in one without: passcodes
// and approvals, what fails, and what works offline.
func TestCRED8_AppUnlocksByAFinger(t *testing.T) {
	t.Parallel()
	needAxe(t)
	process := chromium(t)
	for name, prf := range map[string]bool{"with PRF": true, "without PRF": false} {
		t.Run(name, func(t *testing.T) {
			h, b := startApp(t), Browse(t, process, Profile{Phone: true})
			h.wantPIN(t, 3, true)
			finger := b.addPlatformAuthenticator(prf)
			h.enrolledWithPIN(t, b, func(string) {})
			b.Click(`.account .top button`)
			b.Click(setTouchUp)
			b.See(pinField)
			b.Inspect("app-touch-set-up")
			b.Type(pinField, chosenPIN)
			b.Click(setTouchNow)
			b.Await("the end of the sheet", `!document.getElementById("sheet").open`)

			b.Click(showCode)
			b.See(touchIt)
			b.Inspect("app-touch-ask")
			b.Click(touchIt)
			b.See(`.account .otp:not(:empty)`)

			id := h.ask(t, policy.NoPresence)
			b.Click(`#sheet form .pair button:not(.plain)`)
			b.Click(touchIt)
			b.See(`#sheet > button[autofocus]`)
			if got := h.outcome(t, id); got != store.PushApproved {
				t.Errorf("the request ended %q, want approved", got)
			}
			b.Click(`#sheet > button[autofocus]`)

			b.Reload()
			b.See(showCode)
			b.offline(true)
			b.See(`main > .notice`)
			b.Click(showCode)
			b.Click(touchIt)
			if prf {
				b.See(`.account .otp:not(:empty)`)
			} else {
				b.See(pinError)
			}
			b.offline(false)

			b.Reload()
			b.See(showCode)
			ask(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: finger, IsUserVerified: false})
			b.Click(showCode)
			b.Click(touchIt)
			b.See(pinError) // and the PIN is asked for
			b.Inspect("app-touch-failed")
			b.Type(pinField, chosenPIN)
			b.Click(unlockIt)
			b.See(`.account .otp:not(:empty)`)
		})
	}
}

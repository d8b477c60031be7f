package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The privacyIDEA Authenticator, from the choice of platform into the
// application: the QR code is read from the page's pixels by a decoder of others,
// the phone registers, the page goes on by itself, and so does the one that waits
// for the push.
func TestPUSH24_PrivacyIDEAAuthenticator(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("zbarimg")
	need(t, "zbarimg", err == nil)
	for _, tt := range []struct {
		name, protocol string
		profile        Profile
		scheme         string
		presence       string
	}{
		{"on a desk", "oidc", Profile{}, "light", "pick"},
		{"in the dark, from the right", "saml", Profile{Lang: "ar"}, "dark", "none"},
		{"on a phone, without scripts", "oidc", Profile{Lang: "de-DE", Phone: true, NoScript: true}, "light", "pick"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := NewFlow(t, tt.protocol, tt.profile)
			w.OnPage = w.Desk.checkLayout
			w.Demo.run(nil, "", "policy", "set", "platforms", "--allow", "privacyidea", "--push", "privacyidea")
			w.Demo.require(tt.presence)
			w.SignIn()
			w.VerifyMail()
			w.at("platform-privacyidea", platform)
			w.Desk.Click(`label:has(input[value="privacyidea"])`)
			w.Desk.Follow(press("continue"))
			w.at("privacyidea", `.qr`)
			w.Desk.scheme(tt.scheme)
			if opens := w.Desk.Has(`a[href^="otpauth://pipush/"]`); opens != tt.profile.Phone {
				t.Errorf("a link into an app on this device: %v, want %v", opens, tt.profile.Phone)
			}
			phone := RegisterPrivacyIDEA(t, w.Desk.scan(`.qr`))
			w.continueWithoutScripts()

			w.Desk.Await("the choice, or the push itself", seen(choose)+" || "+seen(press("push")))
			w.at("privacyidea-ready", `.notice.good`)
			if w.Desk.Has(`button[value="passcode"]`) || w.Desk.Has(passcode) {
				t.Error("a passcode may be typed that nothing makes")
			}
			w.Desk.Follow(way("push"))
			challenge := phone.Await()
			w.at("privacyidea-push", `.live`)
			if !strings.Contains(w.Desk.Text("main"), "privacyIDEA Authenticator") {
				t.Error("the page does not say that the app must be opened")
			}
			if challenge["title"] != w.App.Name {
				t.Errorf("the phone shows %v, want %s", challenge, w.App.Name)
			}
			picked := ""
			if tt.presence == "pick" {
				picked = w.Desk.Text(waiting)
				if !slices.Contains(strings.Split(challenge["require_presence"], ","), picked) {
					t.Errorf("the browser shows %s, the phone %s", picked, challenge["require_presence"])
				}
			}
			if !phone.Answer(challenge, picked) {
				t.Error("the approval did not count")
			}
			w.continueWithoutScripts()
			w.Arrive()
		})
	}
}

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
)

// Another vendor's app, from the choice of platform into the application: the QR
// code is read from the page's pixels by a decoder of others, and the passcodes
// are made by others. A wrong one keeps all; so does a reload.
func TestENR12_AnotherVendorsApp(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"zbarimg", "oathtool"} {
		_, err := exec.LookPath(tool)
		need(t, tool, err == nil)
	}
	for _, tt := range []struct {
		name, protocol string
		profile        Profile
		scheme         string
	}{
		{"on a desk", "saml", Profile{}, "light"},
		{"in the dark, from the right", "oidc", Profile{Lang: "ar"}, "dark"},
		{"on a phone, without scripts", "oidc", Profile{Lang: "de-DE", Phone: true, NoScript: true}, "light"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := NewFlow(t, tt.protocol, tt.profile)
			w.OnPage = w.Desk.checkLayout
			w.Demo.run(nil, "", "policy", "set", "self-provisioning", "--third-party")
			w.SignIn()
			w.VerifyMail()
			w.at("platform-third", platform)
			w.Desk.Click(`label:has(input[value="third-party"])`)
			w.Desk.Follow(press("continue"))
			w.at("third-party", `.qr`)

			w.Desk.scheme(tt.scheme)
			link := w.Desk.scan(`.qr`)
			key := otptest.ReadLink(t, link)
			if key.Account != w.User.Name || key.Issuer == "" || key.Event || key.Params != (otp.Params{Digits: 6, Period: 30, Algorithm: otp.SHA1}) {
				t.Errorf("the QR code is for %q of %q, %+v", key.Account, key.Issuer, key.Params)
			}
			w.Desk.Click(`details:has(#secret) > summary`)
			w.at("third-party-typed", `#secret`)
			secret := strings.ReplaceAll(w.Desk.Text(`#secret`), " ", "")
			if secret != otp.EncodeSecret(key.Secret) {
				t.Errorf("for typing there is %s, the QR code has another secret", secret)
			}
			if opens := w.Desk.Has(`a[href^="otpauth://totp/"]`); opens != tt.profile.Phone {
				t.Errorf("a link into an app on this device: %v, want %v", opens, tt.profile.Phone)
			}

			w.Desk.Type(passcode, byOathtool(t, secret, "+1 hour"))
			w.Desk.Follow(press("continue"))
			w.at("third-party-wrong", `#problem`)
			w.Desk.Reload()
			if again := w.Desk.scan(`.qr`); again != link {
				t.Error("after a wrong passcode and a reload the QR code is another")
			}
			w.Desk.Type(passcode, byOathtool(t, secret, "now"))
			w.Desk.Follow(press("continue"))
			w.at("third-party-ready", `.notice.good`)
			w.Desk.Type(passcode, byOathtool(t, secret, "+30 seconds")) // the next one, ahead of its time
			w.Desk.Follow(press("continue"))
			w.Arrive()
		})
	}
}

// byOathtool is the passcode another implementation makes of a secret.
func byOathtool(t *testing.T, secret, at string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "oathtool", "--totp", "--base32", "--now="+at, secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

var qrText = regexp.MustCompile(`^QR-Code:(.*)`)

// scan reads the QR code in a picture of an element, as a camera would.
func (b *Browser) scan(selector string) string {
	b.t.Helper()
	b.See(selector)
	ctx, cancel := context.WithTimeout(b.ctx, maxWait)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.ScreenshotScale(chromedp.CSS(selector), 2))
	if err != nil {
		b.t.Fatalf("picture of %s: %v", selector, err)
	}
	file := filepath.Join(b.t.TempDir(), "qr.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, "zbarimg", "--quiet", file).Output()
	found := qrText.FindStringSubmatch(string(out))
	if found == nil {
		b.t.Fatalf("zbarimg reads %q from the picture of %s: %v", out, selector, err)
	}
	return found[1]
}

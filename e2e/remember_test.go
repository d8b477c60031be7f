package e2e

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// A browser that was remembered asks for the password alone, another for both.
func TestJRN9_ARememberedDeviceIsAskedForThePasswordAlone(t *testing.T) {
	t.Parallel()
	h := StartServer(t, "")
	h.setPolicy("access", `{"rules": [{"name": "all", "require": ["password", "otp"], "remember": true}]}`)
	me := Application{Name: selfService, URL: h.Issuer() + "/me"}
	process := chromium(t)
	here := &Flow{Desk: Browse(t, process, Profile{}), User: h.User, App: me}
	here.SignIn()
	here.TypeMailed(h.awaitCode)
	here.PickPlatform("linux")
	account, err := h.phone.Activate(t.Context(), phone.Activation{Base: h.Base, Code: here.ShortCode(), Name: "Terminal"})
	if err != nil {
		t.Fatal(err)
	}
	here.TypePasscode(func() string {
		here.Desk.screenshot("remember")
		here.Desk.Click(`label:has(input[name="remember"][value="yes"])`)
		code, err := h.phone.Passcode(t.Context(), account.ID)
		if err != nil {
			t.Fatal(err)
		}
		return code.Code
	})
	here.Desk.See(press("logout"))

	// The second factor is fresh still, so a way in for worse days is there to have.
	here.Desk.Open(me.URL + "/recovery-codes")
	here.Desk.screenshot("recovery")
	here.Desk.Follow(press("make"))
	here.Desk.See(`.codes li:nth-child(10) code`)
	here.Desk.screenshot("recovery-codes")

	here.Desk.Follow(press("logout"))
	here.SignIn()
	here.Desk.See(press("logout"))
	// A remembered device is no fresh factor.
	here.Desk.Open(me.URL + "/recovery-codes")
	here.Desk.See(`#passcode, .ways`)
	here.Desk.Open(me.URL)

	there := &Flow{Desk: Browse(t, process, Profile{}), User: h.User, App: me}
	there.SignIn()
	there.Desk.See(`#passcode, .ways`)

	var shown struct {
		Devices []struct{ Browser string } `json:"remembered_devices"`
	}
	h.run(&shown, "", "user", "show", h.User.Name)
	if len(shown.Devices) != 1 || shown.Devices[0].Browser != "Chrome, Linux" {
		t.Errorf("devices %+v, want Chrome on Linux", shown.Devices)
	}
	here.Desk.Open(me.URL + "/devices")
	here.Desk.screenshot("devices")
	here.Desk.Follow(`button[name="device"]`)
	here.Desk.See(`main > .soft, form > .soft`)
	if here.Desk.Has(`button[name="device"]`) {
		t.Error("a device is listed after it was forgotten")
	}
	here.Desk.Follow(press("logout"))
	here.SignIn()
	here.Desk.See(`#passcode, .ways`)
}

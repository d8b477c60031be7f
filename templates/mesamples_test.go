package templates

import (
	"github.com/latchkey-id/latchkey/identity"
)

// meSamples are those of self-service pages about one thing the person has.
func meSamples() []sample {
	pixel := Authenticator{Address: "/t/demo/me/authenticators/aut_1", Name: "Pixel 9", Serial: "LK-4F7K-20QX", Platform: identity.Android,
		State: identity.Active, Push: identity.PushEnabled, EnrolledAt: at.AddDate(0, -2, 0), LastUsedAt: at}
	laptop := Authenticator{Address: "/t/demo/me/authenticators/aut_2", Name: "Work laptop", Serial: "LK-88MM-1ZTC", Platform: identity.Windows,
		State: identity.Active, Push: identity.PushDisabled, EnrolledAt: at.AddDate(0, -2, 0)}
	locked := laptop
	locked.State = identity.Locked
	const back, try = "/t/demo/me/authenticators", "/t/demo/login?for=authenticators&fresh=now"
	one := func(name string, p Page, body MeAuthenticator) sample {
		body.User, body.Back = anna, back
		p.Nav, p.Body = nav("authenticators"), body
		return sample{name, "me_authenticator", p}
	}
	return []sample{
		one("me_authenticator", Page{}, MeAuthenticator{Authenticator: pixel, Switch: true, Try: try, Only: true}),
		one("me_authenticator-off", Page{Notice: "me.said.push-off"}, MeAuthenticator{Authenticator: laptop, Switch: true, Try: try}),
		one("me_authenticator-locked", Page{Problem: "error.authenticator.name"}, MeAuthenticator{Authenticator: locked, Renamed: "x"}),
	}
}

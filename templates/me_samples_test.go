package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// meSamples are samples of self-service pages.
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
		return sample{name, p}
	}
	cards := []NavItem{{Name: "history", Address: "/t/demo/me/history"}, {Name: "devices", Address: "/t/demo/me/devices"}}
	here := MeSession{ID: "ses_1", Browser: "Firefox, Linux", IP: "192.0.2.17", Since: at, LastSeen: at.Add(time.Hour), Applications: []string{payroll, "Rota"}, Here: true}
	return []sample{
		{"me_sessions", Page{Nav: nav("sessions"), Body: MeSessions{anna, []MeSession{here, {ID: "ses_2", Since: at, LastSeen: at}}, cards}}},
		{"me_sessions-one", Page{Nav: nav("sessions"), Notice: "me.said.session-ended", Body: MeSessions{anna, []MeSession{here}, cards}}},
		{"me_history", Page{Nav: nav("sessions"), Body: MeHistory{anna, 90, []MeSignIn{
			{Kind: "login.success", Good: true, At: at, Application: payroll, Methods: []string{"password", "push"}, Browser: "Firefox, Linux", IP: "192.0.2.17"},
			{Kind: "passcode.failure", At: at.Add(-time.Hour), IP: "2001:db8::17"},
			{Kind: "user.locked", At: at.Add(-time.Hour), Browser: "Safari, iPhone"}}, "/t/demo/me/history?before=x"}}},
		{"me_add", Page{Nav: nav("authenticators"), Body: MeAdd{anna}}},
		{"enroll_end-added", Page{Body: EnrollEnd{Why: AddingDone, Name: anna, Home: back}}},
		{"enroll_end-not-added", Page{Body: EnrollEnd{Why: AddingRefused, Name: anna, Home: back}}},
		{"enroll_end-added-stopped", Page{Body: EnrollEnd{Why: AddingCancelled, Name: anna, Home: back}}},
		{"enroll_end-added-late", Page{Body: EnrollEnd{Why: AddingLate, Name: anna, Home: back}}},
		{"me_history-none", Page{Nav: nav("sessions"), Body: MeHistory{Name: anna, Days: 90}}},
		one("me_authenticator", Page{}, MeAuthenticator{Authenticator: pixel, Switch: true, Try: try, Only: true}),
		one("me_authenticator-off", Page{Notice: "me.said.push-off"}, MeAuthenticator{Authenticator: laptop, Switch: true, Try: try}),
		one("me_authenticator-locked", Page{Problem: "error.authenticator.name"}, MeAuthenticator{Authenticator: locked, TypedName: "x"}),
	}
}

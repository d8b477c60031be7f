package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// meSamples are samples of self-service pages.
func meSamples() []sample {
	pixel := Authenticator{Address: "/t/demo/me/authenticators/aut_1", Name: "Pixel 9", Serial: "LK-4F7K-20QX", Sort: SortApp, Platform: identity.Android,
		State: identity.Active, HasPush: true, Push: identity.PushEnabled, EnrolledAt: at.AddDate(0, -2, 0), LastUsedAt: at}
	laptop := Authenticator{Address: "/t/demo/me/authenticators/aut_2", Name: "Work laptop", Serial: "LK-88MM-1ZTC", Sort: SortApp, Platform: identity.Windows,
		State: identity.Active, HasPush: true, Push: identity.PushDisabled, EnrolledAt: at.AddDate(0, -2, 0)}
	keyRing := Authenticator{Address: "/t/demo/me/authenticators/aut_3", Name: "Key ring", Serial: "LK-3PXM-T8WA", Sort: SortPasscodes,
		State: identity.Active, EnrolledAt: at.AddDate(-1, 0, 0), LastUsedAt: at}
	passkey := Authenticator{Address: "/t/demo/me/authenticators/aut_4", Name: "Passkey, Chrome, Linux", Serial: "PK-3PXMT8WAQ0", Sort: SortPasskey,
		State: identity.Active, Synced: true, EnrolledAt: at.AddDate(0, -1, 0), LastUsedAt: at}
	key := passkey
	key.Name, key.Synced = "Blue key", false
	store := Authenticator{Address: "/t/demo/me/authenticators/aut_5", Name: "privacyIDEA Authenticator", Serial: "LK-7Q2M-4KXD", Sort: SortRequests,
		Platform: identity.PrivacyIDEA, State: identity.Active, HasPush: true, Push: identity.PushLocked, EnrolledAt: at}
	locked, confirmed := laptop, pixel
	locked.State, confirmed.Confirmed = identity.Locked, true
	const back, try = "/t/demo/me/authenticators", "/t/demo/login?for=authenticators&fresh=now"
	one := func(name string, p Page, body MeAuthenticator) sample {
		body.User, body.Back = anna, back
		p.Nav, p.Body = nav("authenticators"), body
		return sample{name, p}
	}
	cards := []NavItem{{Name: "history", Address: "/t/demo/me/history"}, {Name: "devices", Address: "/t/demo/me/devices"}}
	here := MeSession{ID: "ses_1", Browser: "Firefox, Linux", IP: "192.0.2.17", Since: at, LastSeen: at.Add(time.Hour), Applications: []string{payroll, "Rota"}, Here: true}
	return []sample{
		{"me_authenticators", Page{Nav: nav("authenticators"), Body: MeAuthenticators{anna, []Authenticator{confirmed, locked, keyRing, passkey, store},
			[]NavItem{{Name: "add", Address: "/t/demo/me/add"}}}}},
		one("me_authenticator-passkey", Page{}, MeAuthenticator{Authenticator: key, Try: try}),
		one("me_authenticator-hardware", Page{}, MeAuthenticator{Authenticator: keyRing, Try: try, PIN: "/t/demo/me/pin/aut_3"}),
		{"me_pin", Page{Nav: nav("authenticators"), Body: MePIN{Name: anna, Device: "Pixel 9", Back: back + "/aut_1", MinLength: 4, MaxLength: 8}}},
		{"me_pin-problem", Page{Nav: nav("authenticators"), Problem: "error.pin.used", Body: MePIN{Name: anna, Device: "Pixel 9", Back: back + "/aut_1",
			MinLength: 4, MaxLength: 8, TrivialAllowed: true, AfterPasscode: true}}},
		{"me_sessions", Page{Nav: nav("sessions"), Body: MeSessions{anna, []MeSession{here, {ID: "ses_2", Since: at, LastSeen: at}}, cards}}},
		{"me_sessions-one", Page{Nav: nav("sessions"), Notice: "me.said.session-ended", Body: MeSessions{anna, []MeSession{here}, cards}}},
		{"me_history", Page{Nav: nav("sessions"), Body: MeHistory{Name: anna, Days: 90, Rows: []MeSignIn{
			{Kind: "login.success", Good: true, Proved: true, At: at, Application: payroll, Methods: []string{"password", "push"}, Browser: "Firefox, Linux", IP: "192.0.2.17"},
			{Kind: HistoryNotMe, Proved: true, At: at.Add(-time.Hour), Application: payroll, Browser: "Chrome, Windows", IP: "203.0.113.9"},
			{Kind: "push.wrong-number", Proved: true, At: at.Add(-time.Hour), Application: payroll, Browser: "Chrome, Windows", IP: "203.0.113.9"},
			{Kind: "push.mistake", Proved: true, At: at.Add(-time.Hour), Application: payroll, Browser: "Firefox, Linux", IP: "192.0.2.17"},
			{Kind: "push.expired", Proved: true, At: at.Add(-time.Hour), Application: payroll, Browser: "Firefox, Linux", IP: "192.0.2.17"},
			{Kind: "password.success", Proved: true, At: at.Add(-time.Hour), Application: payroll, Browser: "Firefox, Linux", IP: "192.0.2.17"},
			{Kind: "passcode.failure", At: at.Add(-time.Hour), IP: "2001:db8::17"},
			{Kind: "user.locked", At: at.Add(-time.Hour), Browser: "Safari, iPhone"}}, Older: "/t/demo/me/history?before=x", Password: "/t/demo/me/password", Sessions: "/t/demo/me/sessions"}}},
		{"me_history-bare", Page{Body: MeHistory{Name: anna, Days: 90, Sessions: "/t/demo/me/sessions"}}},
		{"me_add", Page{Nav: nav("authenticators"), Body: MeAdd{anna}}},
		{"enroll_end-added", Page{Body: EnrollEnd{Why: AddingDone, Name: anna, Home: back}}},
		{"enroll_end-not-added", Page{Body: EnrollEnd{Why: AddingRefused, Name: anna, Home: back}}},
		{"enroll_end-added-stopped", Page{Body: EnrollEnd{Why: AddingCancelled, Name: anna, Home: back}}},
		{"enroll_end-added-late", Page{Body: EnrollEnd{Why: AddingLate, Name: anna, Home: back}}},
		{"me_history-none", Page{Nav: nav("sessions"), Body: MeHistory{Name: anna, Days: 90, Sessions: "/t/demo/me/sessions"}}},
		one("me_authenticator", Page{}, MeAuthenticator{Authenticator: pixel, Switch: true, Try: try, Only: true}),
		one("me_authenticator-paused", Page{}, MeAuthenticator{Authenticator: store, Switch: true}),
		one("me_authenticator-off", Page{Notice: "me.said.push-off"}, MeAuthenticator{Authenticator: laptop, Switch: true, Try: try}),
		one("me_authenticator-locked", Page{Problem: "error.authenticator.name"}, MeAuthenticator{Authenticator: locked, TypedName: "x"}),
	}
}

// cardStates are cards with how their subjects stand: of one there is nothing to say, and
// one needs attention.
func cardStates(cards []NavItem) []NavItem {
	for i, card := range cards {
		cards[i].State = map[string]CardState{
			"authenticators": {Text: Text{"me.state.authenticators", []any{"n", 2}}},
			"security":       {Text: Text{Key: "me.state.recovery.none"}, Alert: true},
			"password":       {Text: Text{"me.state.password", []any{"month", "March 2026"}}},
			"passkeys":       {Text: Text{Key: "me.state.passkeys.none"}},
			"recovery-codes": {Text: Text{"me.state.recovery", []any{"n", 10}}},
		}[card.Name]
	}
	return cards
}

package templates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/locales"
)

// A sample is a page in one state. Every branch of a template is executed by
// some sample (TestEveryBranchHasASample).
type sample struct {
	name string // of the sample; one that ends in -bare has no help, languages, address or state
	page Page
}

// filled is the sample's page with the fields that all pages have.
func (s sample) filled(l locales.Printer, languages []locales.Language) Page {
	p := s.page
	p.L, p.Tenant.Name = l, "Example Hospital"
	if !strings.HasSuffix(s.name, "-bare") {
		p.State = "7." + strings.TrimSuffix(p.Body.template(), ".html")
		p.Languages, p.Tenant.Help, p.Action = languages, "help@example.org", "/t/demo/login/jrn_x"
	}
	return p
}

const (
	payroll = "Payroll"
	anna    = "anna.berg"
	masked  = "a•••@example.org"
)

var at = time.Date(2026, 3, 4, 8, 41, 0, 0, time.UTC)

func samples() []sample {
	methods := []Method{
		{Kind: "push", Detail: Text{"choose.detail.device", []any{"device", "Pixel 9"}}, Used: at, Preselected: true},
		{Kind: "passcode", Detail: Text{Key: "choose.detail.passcode"}},
	}
	locked := []Method{
		{Kind: "push", Disabled: Text{Key: "choose.disabled.locked"}, Until: at},
		{Kind: "passcode", Detail: Text{Key: "choose.detail.passcode"}, Preselected: true},
		{Kind: "enrol", Detail: Text{Key: "choose.detail.enrol"}},
		{Kind: "challenge", Detail: Text{Key: "choose.detail.challenge"}},
		{Kind: "recovery code", Detail: Text{Key: "choose.detail.recovery-code"}},
	}
	const link = "https://login.example.org/authenticator/#a=3q5kz2m4n6p7r8s9t0v1w2x3y4"
	scan := EnrollScan{Application: payroll, Name: anna, Platform: identity.Android, Link: link, QR: qr(link),
		Code: "7KQM-24RT", Address: "login.example.org/authenticator", Left: 540}
	here := scan
	here.Here, here.Platform = true, identity.IOS
	computer := scan
	computer.Here, computer.Platform, computer.Install = true, identity.Windows, "https://apps.example.org/authenticator"
	ios := scan
	ios.Platform = identity.IOS
	taken, over := scan, scan
	taken.Taken, over.Over = true, true
	pinned := taken
	pinned.PIN = "4917 0352"
	mac := scan
	mac.Platform = identity.MacOS
	winPhone, winPhoneHere := scan, here
	winPhone.Platform, winPhoneHere.Platform = identity.WindowsMobile, identity.WindowsMobile
	const otpauth = "otpauth://totp/Example%20Hospital:anna.berg?algorithm=SHA1&digits=6&issuer=Example%20Hospital&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	third := EnrollThirdParty{Application: payroll, Name: anna, QR: qr(otpauth), Secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", Left: 540}
	phone := third
	phone.Link = otpauth
	store := EnrollPrivacyIDEA{Application: payroll, Name: anna, Left: 540, QR: qr("otpauth://pipush/anna.berg?url=https%3A%2F%2Fid.example.org%2Ft%2Fdemo%2Fttype%2Fpush&ttl=10&issuer=Example%20Hospital&enrollment_credential=9311ee50678983c0f29d3d843f86e39405e2b427&v=1&serial=LK-7Q2M-4KXD&sslverify=1&poll_only=True")}
	storeHere, storeOver := store, store
	storeHere.Link, storeHere.Install, storeOver.Over = "otpauth://pipush/anna.berg", "https://apps.example.org/privacyidea", true
	others := []Way{"passcode", "challenge", "passkey", "recovery code"}
	push := Push{Application: payroll, Name: anna, Number: "47", IP: "192.0.2.17", Place: "Bergen, Norway", Browser: "Firefox, Windows", At: at, Left: 48, Total: 60, AgainIn: 12, Again: true, OtherWays: others}
	plain := push
	plain.Number, plain.Place, plain.Again, plain.OtherWays = "", "", false, nil
	silent := push
	silent.Number, silent.Pick, silent.Silent, silent.OtherWays = "472", true, true, nil
	six, samePhone := push, push
	six.Number, samePhone.App = "482913", "https://login.example.org/authenticator/"
	unknown := push
	unknown.IP, unknown.Place, unknown.Browser, unknown.AgainIn = "", "", "", 0
	old := []OldApp{{"Pixel 9", "latchkey-web 1.0.0", "1.1.0"}, {"Work phone", "stranger 7.0.0", ""}}
	oneOld := push
	oneOld.TooOld = old[:1]
	platforms := []PlatformChoice{{identity.IOS, false, false}, {identity.Android, false, true}, {identity.Windows, true, false}, {identity.PrivacyIDEA, false, false}, {identity.ThirdParty, false, false}}

	list := []sample{
		{"identify", Page{Body: Identify{Application: payroll}}},
		{"identify-mail", Page{Body: Identify{Application: payroll, Mail: true}}},
		{"identify-label", Page{Body: Identify{Application: payroll, Label: "Staff number", Mail: true}}},
		{"identify-passkey", Page{Body: Identify{Application: payroll, Passkey: `{"challenge":"AAAA","rpId":"localhost"}`}}},
		{"passkey", Page{Remember: &Remember{Days: 30}, Body: Passkey{Application: payroll, Name: anna, Request: `{"challenge":"AAAA","rpId":"localhost"}`, Recovery: true}}},
		{"passkey-problem", Page{Problem: "error.passkey.wrong", Body: Passkey{Application: payroll, Name: anna, Request: `{"challenge":"AAAA","rpId":"localhost"}`}}},
		{"choose-passkey", Page{Body: Choose{payroll, anna, append(slices.Clone(methods), Method{Kind: "passkey", Detail: Text{Key: "choose.detail.passkey"}})}}},
		{"identify-session", Page{Session: anna, Body: Identify{Application: payroll}}},
		{"identify-bare", Page{Body: Identify{}}},
		{"identify-problem", Page{Problem: "error.name.empty", ErrorID: "4F7K-20QX", Body: Identify{Application: payroll, Name: anna}}},
		{"password", Page{Body: Password{payroll, anna, true}}},
		{"password-bare", Page{Body: Password{"", anna, false}}},
		{"password-problem", Page{Problem: "error.login.wrong", Body: Password{payroll, anna, true}}},
		{"reset_code", Page{Body: ResetCode{Application: payroll, Name: anna, ResendIn: 24, Minutes: 10}}},
		{"reset_code-bare", Page{Body: ResetCode{Application: payroll, Name: anna, Minutes: 10}}},
		{"reset_code-problem", Page{Problem: "error.code.wrong", Body: ResetCode{Application: payroll, Name: anna, Minutes: 10, Typed: "48"}}},
		{"new_pin", Page{Body: NewPIN{Application: payroll, Name: anna, MinLength: 4, MaxLength: 8}}},
		{"new_pin-problem", Page{Problem: "error.pin.used", Body: NewPIN{Application: payroll, Name: anna, MinLength: 4, MaxLength: 8, TrivialAllowed: true, AfterPasscode: true}}},
		{"passcode-pin", Page{Notice: "notice.enrolled", FirstPIN: &FirstPIN{PIN: "4917", Change: true}, Body: Passcode{Application: payroll, Name: anna, Only: true, PIN: "before"}}},
		{"passcode-pin-after", Page{FirstPIN: &FirstPIN{PIN: "4917", AfterPasscode: true}, Body: Passcode{Application: payroll, Name: anna, Only: true, PIN: "after"}}},
		{"new_password", Page{Body: NewPassword{Application: payroll, Name: anna, MinLength: 12}}},
		{"new_password-forgotten", Page{Body: NewPassword{Application: payroll, Name: anna, Forgotten: true, MinLength: 8, CommonAllowed: true}}},
		{"new_password-problem", Page{Problem: "error.password.common", Body: NewPassword{Application: payroll, Name: anna, Forgotten: true, MinLength: 8}}},
		{"choose", Page{Body: Choose{payroll, anna, methods}}},
		{"choose-locked", Page{Problem: "error.push.locked", Body: Choose{payroll, anna, locked}}},
		{"choose-four", Page{Remember: &Remember{Days: 30}, Body: Choose{payroll, anna, []Method{methods[0],
			{Kind: "passkey", Detail: Text{Key: "choose.detail.passkey"}}, methods[1], {Kind: "recovery code", Detail: Text{Key: "choose.detail.recovery-code"}}}}}},
		{"choose-bare", Page{Body: Choose{payroll, anna, []Method{{Kind: "passcode", Preselected: true}}}}},
		{"push", Page{Stream: "/t/demo/login/jrn_x/stream", Body: push}},
		{"push-plain", Page{Stream: "/t/demo/login/jrn_x/stream", Body: plain}},
		{"push-silent", Page{Stream: "/t/demo/login/jrn_x/stream", Body: silent}},
		{"push-six", Page{Stream: "/t/demo/login/jrn_x/stream", Body: six}},
		{"push-here", Page{Stream: "/t/demo/login/jrn_x/stream", Body: samePhone}},
		{"push-old", Page{Stream: "/t/demo/login/jrn_x/stream", Body: oneOld}},
		{"push-unknown", Page{Stream: "/t/demo/login/jrn_x/stream", Body: unknown}},
		{"push_ended-wait", Page{Body: PushEnded{Application: payroll, Name: anna, Why: PushMistake, Again: true, AgainIn: 12, OtherWays: others}}},
		{"push_ended-bare", Page{Body: PushEnded{Application: payroll, Name: anna, Why: PushNoLonger}}},
		{"passcode", Page{Body: Passcode{Application: payroll, Name: anna, Push: true}}},
		{"passcode-problem", Page{Problem: "error.passcode.wrong", Body: Passcode{Application: payroll, Name: anna}}},
		{"passcode-enrolled", Page{Notice: "notice.enrolled", Body: Passcode{Application: payroll, Name: anna, Only: true}}},
		{"passcode-only", Page{Body: Passcode{Application: payroll, Name: anna, Only: true}}},
		{"passcode-recovery", Page{Body: Passcode{Application: payroll, Name: anna, Only: true, Recovery: true}}},
		{"choose-recovery", Page{Body: Choose{payroll, anna, append(slices.Clone(methods), Method{Kind: "recovery code", Detail: Text{Key: "choose.detail.recovery-code"}})}}},
		{"choose-challenge", Page{Body: Choose{payroll, anna, []Method{{Kind: "challenge", Detail: Text{Key: "choose.detail.challenge"}, Preselected: true}}}}},
		{"challenge", Page{Body: Challenge{Application: payroll, Name: anna, Digits: "48130275", Only: true, Recovery: true}}},
		{"challenge-chosen", Page{Remember: &Remember{Days: 30}, Body: Challenge{Application: payroll, Name: anna, Digits: "00427191"}}},
		{"challenge-problem", Page{Problem: "error.challenge.wrong", Body: Challenge{Application: payroll, Name: anna, Digits: "91550038", Only: true}}},
		{"challenge-over", Page{Problem: "", Body: Challenge{Application: payroll, Name: anna}}},
		{"recovery_code", Page{Body: RecoveryCode{payroll, anna}}},
		{"recovery_code-problem", Page{Problem: "error.recovery.wrong", Body: RecoveryCode{payroll, anna}}},
		{"enroll_offer", Page{Body: EnrollOffer{payroll, anna, masked}}},
		{"enroll_offer-unknown", Page{Body: EnrollOffer{payroll, anna, ""}}},
		{"enroll_code", Page{Body: EnrollCode{Application: payroll, Name: anna, Address: masked, ResendIn: 24, Minutes: 10}}},
		{"enroll_code-bare", Page{Body: EnrollCode{Application: payroll, Name: anna, Address: masked, Minutes: 10}}},
		{"enroll_code-problem", Page{Problem: "error.code.tries", Body: EnrollCode{Application: payroll, Name: anna, Minutes: 10, Typed: "48"}}},
		{"enroll_platform", Page{Body: EnrollPlatform{payroll, anna, platforms}}},
		{"enroll_platform-problem", Page{Problem: "error.platform.missing", Body: EnrollPlatform{payroll, anna, platforms}}},
		{"enroll_platform-phone", Page{Body: EnrollPlatform{payroll, anna, []PlatformChoice{
			{identity.Android, true, true}, {identity.IOS, false, false}, {identity.MacOS, false, false}}}}},
		{"enroll_scan", Page{Stream: "/t/demo/login/jrn_x/stream", Body: scan}},
		{"enroll_scan-ios", Page{Stream: "/t/demo/login/jrn_x/stream", Body: ios}},
		{"enroll_scan-mac", Page{Stream: "/t/demo/login/jrn_x/stream", Body: mac}},
		{"enroll_scan-windows-mobile", Page{Stream: "/t/demo/login/jrn_x/stream", Body: winPhone}},
		{"enroll_scan-windows-mobile-here", Page{Stream: "/t/demo/login/jrn_x/stream", Body: winPhoneHere}},
		{"enroll_scan-taken", Page{Stream: "/t/demo/login/jrn_x/stream", Body: taken}},
		{"enroll_scan-pin", Page{Stream: "/t/demo/login/jrn_x/stream", Body: pinned}},
		{"enroll_scan-over", Page{Body: over}},
		{"enroll_scan-here", Page{Stream: "/t/demo/login/jrn_x/stream", Body: here}},
		{"enroll_scan-computer", Page{Stream: "/t/demo/login/jrn_x/stream", Body: computer}},
		{"enroll_third_party", Page{Body: third}},
		{"enroll_privacyidea", Page{Stream: "/t/demo/login/jrn_x/stream", Body: store}},
		{"enroll_privacyidea-here", Page{Stream: "/t/demo/login/jrn_x/stream", Body: storeHere}},
		{"enroll_privacyidea-over", Page{Body: storeOver}},
		{"enroll_third_party-problem", Page{Problem: "error.confirm.clock", Body: third}},
		{"enroll_third_party-phone", Page{Body: phone}},
		{"enroll_third_party-over", Page{Body: EnrollThirdParty{Application: payroll, Name: anna, Over: true}}},
		{"passcode-approved", Page{Body: Passcode{Application: payroll, Name: anna, Approved: true}}},
		{"passcode-approved-counter", Page{Body: Passcode{Application: payroll, Name: anna, Approved: true, Counter: true}}},
		{"passcode-paused", Page{Body: Passcode{Application: payroll, Name: anna, Only: true, Paused: at}}},
		{"passcode-old", Page{Body: Passcode{Application: payroll, Name: anna, Only: true, TooOld: old}}},
		{"choose-limit", Page{Body: Choose{payroll, anna, []Method{{Kind: "push", Disabled: Text{Key: "choose.disabled.limit"}}, methods[1]}}}},
		{"passcode-next", Page{Notice: "notice.enrolled.next", Body: Passcode{Application: payroll, Name: anna, Only: true}}},
		{"enroll_nomail", Page{Body: EnrollNoMail{payroll, anna}}},
		{"passcode-remember", Page{Remember: &Remember{Days: 30}, Body: Passcode{Application: payroll, Name: anna, Push: true}}},
		{"passcode-remember-ticked", Page{Remember: &Remember{Days: 30, Checked: true}, Problem: "error.passcode.wrong", Body: Passcode{Application: payroll, Name: anna, Only: true}}},
		{"choose-remember", Page{Remember: &Remember{Days: 1}, Body: Choose{Application: payroll, Name: anna,
			Methods: []Method{{Kind: "push", Detail: Text{"choose.detail.device", []any{"device", "Pixel 9"}}, Preselected: true}, {Kind: "passcode", Detail: Text{Key: "choose.detail.passcode"}}}}}},
		{"push-remember", Page{Remember: &Remember{Days: 30, Checked: true}, Stream: "/t/demo/login/jrn/events", Body: Push{Application: payroll, Name: anna, Number: "47", IP: "192.0.2.17", At: at, Left: 50, Total: 60, Again: true, OtherWays: others}}},
		{"enroll_nomail-bare", Page{Body: EnrollNoMail{payroll, anna}}},
		{"ended-bare", Page{Body: Ended{}}},
		{"ended", Page{Body: Ended{Application: payroll, Home: "https://payroll.example.org/"}}},
		{"ended-done", Page{Body: Ended{Application: payroll, Home: "https://payroll.example.org/", Done: true}}},
		{"problem", Page{Problem: "error.internal", ErrorID: "4F7K-20QX", Body: Problem{payroll, "https://payroll.example.org/"}}},
		{"problem-elsewhere", Page{Body: Problem{"", "https://login.example.org/t/demo/me"}}},
		{"problem-bare", Page{Problem: "error.notfound", Body: Problem{}}},
		{"autopost", Page{Body: AutoPost{payroll, "https://payroll.example.org/saml/acs", []Field{{"SAMLResponse", "PHNhbWxwPg=="}, {"RelayState", "x"}}, false}}},
		{"autopost-refused", Page{Body: AutoPost{payroll, "https://payroll.example.org/saml/acs", []Field{{"SAMLResponse", "PHNhbWxwPg=="}, {"RelayState", "x"}}, true}}},
		{"logout_confirm", Page{Body: LogoutConfirm{payroll, anna, []Field{{"request", "req_x"}}}}},
		{"logout_confirm-bare", Page{Body: LogoutConfirm{"", anna, nil}}},
		{"logged_out-bare", Page{Body: LoggedOut{}}},
		{"logged_out", Page{Body: LoggedOut{payroll, "https://payroll.example.org/", []string{"Rota", "Library"}}}},
		{"me", Page{Nav: nav(""), Body: Me{Name: anna, DisplayName: "Anna Berg", Cards: cardStates(nav("")[1:]),
			Applications: []Link{{payroll, "https://payroll.example.org/"}, {"Rota", ""}}, Missing: []Missing{
				{Text{Key: "me.missing.recovery"}, "/t/demo/me/recovery-codes", Text{Key: "do.recovery.make"}}}}}},
		{"me-empty", Page{Nav: nav(""), Body: Me{Name: anna}}},
		{"me_subjects", Page{Nav: nav("security"), Body: MeSubjects{anna, "security", cardStates([]NavItem{
			{Name: "password", Address: "/t/demo/me/password"}, {Name: "passkeys", Address: "/t/demo/me/passkeys"},
			{Name: "recovery-codes", Address: "/t/demo/me/recovery-codes"}, {Name: "devices", Address: "/t/demo/me/devices"}})}}},
		{"me_subjects-none", Page{Nav: nav("security"), Body: MeSubjects{Name: anna, Page: "security"}}},
		{"me_devices", Page{Nav: nav("sessions"), Body: MeDevices{Name: anna, Devices: []MeDevice{
			{ID: "dev_1", Browser: "Firefox, Linux", IP: "192.0.2.17", Since: at, LastUsed: at.Add(time.Hour), Until: at.Add(14 * 24 * time.Hour), Here: true},
			{ID: "dev_2", Since: at, LastUsed: at, Until: at.Add(time.Hour)}}}}},
		{"me_recovery", Page{Nav: nav("security"), Body: MeRecovery{anna, 7, at, false}}},
		{"me_recovery-off", Page{Nav: nav("security"), Body: MeRecovery{Name: anna, Off: true}}},
		{"me_passkeys", Page{Nav: nav("security"), Body: MePasskeys{Name: anna, Creation: `{}`, Nonce: "1.a", Passkeys: []PasskeyItem{
			{"/t/demo/me/authenticators/aut_4", "Laptop", true, at.AddDate(0, -2, 0), at}, {"/t/demo/me/authenticators/aut_5", "Blue key", false, at, time.Time{}}}}}},
		{"me_passkeys-none", Page{Nav: nav("security"), Body: MePasskeys{Name: anna, Creation: `{}`, Nonce: "1.a"}}},
		{"me_passkeys-problem", Page{Nav: nav("security"), Problem: "error.authenticator.name", Body: MePasskeys{Name: anna, Creation: `{}`, Nonce: "1.a", Typed: "x"}}},
		{"me_passkeys-off", Page{Nav: nav("security"), Body: MePasskeys{Name: anna}}},
		{"me_password", Page{Nav: nav("security"), Body: MePassword{Name: anna, MinLength: 12}}},
		{"me_password-problem", Page{Nav: nav("security"), Problem: "error.password.common", Body: MePassword{Name: anna, MinLength: 8}}},
		{"me_password-old", Page{Nav: nav("security"), Problem: "error.password.old", Body: MePassword{Name: anna, MinLength: 8, CommonAllowed: true}}},
		{"me_password-none", Page{Nav: nav("security"), Body: MePassword{Name: anna, NoPassword: true}}},
		{"me_recovery-none", Page{Nav: nav("security"), Body: MeRecovery{Name: anna}}},
		{"me_recovery_made", Page{Nav: nav("security"), Body: MeRecoveryMade{anna, "Example Hospital", []string{"1A2B-3C4D-5E6F-7G8H", "9J0K-1M2N-3P4Q-5R6S"}, "/t/demo/me/recovery-codes"}}},
		{"me_devices-none", Page{Nav: nav("sessions"), Body: MeDevices{Name: anna}}},
		{"me_authenticators-none", Page{Nav: nav("authenticators"), Body: MeAuthenticators{Name: anna}}},
	}
	list = append(list, meSamples()...)
	for _, why := range []string{PushMistake, PushExpired, PushSuperseded, PushWrongNumber, PushElsewhere, PushLocked, PushUnreachable, PushTooOld, PushResync, PushNoLonger} {
		again := why != PushLocked && why != PushUnreachable && why != PushTooOld && why != PushResync
		body := PushEnded{Application: payroll, Name: anna, Why: why, Again: again, OtherWays: others}
		switch why {
		case PushLocked:
			body.Until = at
		case PushSuperseded:
			body.Newer = at
		case PushTooOld:
			body.TooOld = old
		case PushExpired:
			body.Again, body.Last = false, true
		}
		list = append(list, sample{"push_ended-" + why, Page{Body: body}})
	}
	list = append(list, sample{"enroll_begin", Page{Body: EnrollBegin{}}},
		sample{"enroll_begin-brought", Page{Body: EnrollBegin{Secret: "ABCDEFGHIJKLMNOPQRSTUVWXY2"}}},
		sample{"enroll_platform-invited", Page{Body: EnrollPlatform{Name: anna, Platforms: []PlatformChoice{{identity.Android, false, true}}}}},
		sample{"password-invited", Page{Body: Password{Name: anna}}},
		sample{"enroll_end-bare", Page{Body: EnrollEnd{Why: InvitedExpired, Name: anna}}})
	for _, why := range []string{InvitedDone, InvitedUnknown, InvitedUsed, InvitedExpired, InvitedRevoked, InvitedReplaced, InvitedHas, InvitedRefused,
		InvitedLocked, InvitedCancelled, InvitedLate} {
		body := EnrollEnd{Why: why, Name: anna}
		switch why {
		case InvitedUnknown:
			body.Name = ""
		case InvitedDone:
			body.Home = "/t/demo/me"
		case InvitedLocked, InvitedCancelled, InvitedLate:
			body.Until = at
		}
		list = append(list, sample{"enroll_end-" + why, Page{Body: body}})
	}
	for _, why := range []string{RefusedByPolicy, RefusedNotTarget, RefusedNoPermit, RefusedNoMethod, RefusedPushOnly, RefusedNoPasskey, RefusedNoReset, RefusedRejected, RefusedLocked, RefusedLockedByOperator, RefusedPushLocked, RefusedAppTooOld} {
		body := Refused{Application: payroll, Name: anna, Why: why}
		switch why {
		case RefusedLocked, RefusedPushLocked:
			body.Until = at
		case RefusedAppTooOld:
			body.TooOld = old
		}
		list = append(list, sample{"refused-" + why, Page{Body: body}})
	}
	list = append(list, sample{"refused-bare", Page{Body: Refused{Name: anna, Why: RefusedByPolicy}}})
	return list
}

// nav is the navigation of the self-service pages, on one of them.
func nav(here string) []NavItem {
	items := []NavItem{{Address: "/t/demo/me"}}
	for _, name := range []string{"authenticators", "security", "sessions"} {
		items = append(items, NavItem{Name: name, Address: "/t/demo/me/" + name})
	}
	for i := range items {
		items[i].Here = items[i].Name == here
	}
	return items
}

// A mailSample is a mail in one variant.
type mailSample struct {
	variant string // tells two of a kind apart
	mail    Mail
}

// name is the name of the sample: the kind of the mail and the variant.
func (s mailSample) name() string { return strings.TrimSuffix(s.mail.Kind()+" "+s.variant, " ") }

func mailSamples() []mailSample {
	from := Origin{IP: "192.0.2.17", Place: "Bergen, Norway", Browser: "Firefox, Windows", At: at}
	return []mailSample{
		{"", VerificationCode{Name: anna, Application: payroll, Code: "482913", Minutes: 10, Origin: from}},
		{"", AuthenticatorAdded{Name: anna, Device: "Pixel 9", Origin: from}},
		{"", UserLocked{Name: anna, Until: at.Add(30 * time.Minute), Origin: from}},
		{"rejected", UserLocked{Name: anna, Until: at.Add(30 * time.Minute), Origin: from,
			Rejected: &RejectedPush{Name: anna, Application: payroll, Origin: from}}},
		{"operators", UserLocked{Name: anna, Until: at.Add(30 * time.Minute), Origin: from, Operators: true}},
		{"operators rejected", UserLocked{Name: anna, Until: at.Add(30 * time.Minute), Origin: from, Operators: true,
			Rejected: &RejectedPush{Name: anna, Application: payroll, Origin: from, Operators: true}}},
		{"", RejectedPush{Name: anna, Application: payroll, Origin: from}},
		{"operators", RejectedPush{Name: anna, Application: payroll, Origin: from, Operators: true}},
		{"", DeviceRemembered{Name: anna, Until: at.Add(30 * 24 * time.Hour), Origin: from}},
		{"", DeviceStolen{Name: anna, Device: "Firefox on Linux", Origin: from}},
		{"", DevicesForgotten{Name: anna, Devices: 2, Origin: from}},
		{"", LockedPush{Name: anna, Until: at.Add(time.Hour), Origin: from}},
		{"operators", LockedPush{Name: anna, Until: at.Add(time.Hour), Origin: from, Operators: true}},
		{"", UserUnlocked{Name: anna, Origin: from}},
		{"", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9", "Key ring"}, By: LockedByPasscodes,
			Until: at.Add(time.Hour), Origin: from}},
		{"lasts", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9"}, By: LockedByPasscodes, Origin: from}},
		{"pins", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9"}, By: LockedByPINs, Origin: Origin{At: at}}},
		{"operator", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9"}, By: LockedByOperator, Origin: Origin{At: at}}},
		{"operators", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9"}, By: LockedByPasscodes, Origin: from, Operators: true}},
		{"operators of pins", AuthenticatorLocked{Name: anna, Devices: []string{"Pixel 9"}, By: LockedByPINs,
			Origin: Origin{At: at}, Operators: true}},
		{"", AuthenticatorUnlocked{Name: anna, Device: "Pixel 9", Origin: Origin{At: at}}},
		{"", PasscodesLocked{Name: anna, Until: at.Add(time.Minute), Origin: from}},
		{"operators", PasscodesLocked{Name: anna, Until: at.Add(time.Minute), Origin: from, Operators: true}},
		{"", PasswordChanged{Name: anna, Origin: from}},
		{"due", PasswordChanged{Name: anna, How: PasswordDue, Origin: from}},
		{"forgotten", PasswordChanged{Name: anna, How: PasswordForgotten, Origin: from}},
		{"", PasswordReset{Name: anna, Application: payroll, Code: "480 217", Minutes: 10, Origin: from}},
		{"", SessionsEnded{Name: anna, Sessions: 2, Origin: from}},
		{"on", AuthenticatorChanged{Name: anna, Device: "Pixel 9", What: PushTurnedOn, Origin: from}},
		{"off", AuthenticatorChanged{Name: anna, Device: "Pixel 9", What: PushTurnedOff, Origin: from}},
		{"lost", AuthenticatorChanged{Name: anna, Device: "Pixel 9", What: ReportedLost, Origin: from}},
		{"lost-passkey", AuthenticatorChanged{Name: anna, Device: "Blue key", What: ReportedLost, Passkey: true, Origin: from}},
		{"pin", AuthenticatorChanged{Name: anna, Device: "Pixel 9", What: PINChanged, Origin: from}},
		{"", RecoveryCodesMade{Name: anna, Codes: 10, Origin: from}},
		{"", RecoveryCodeUsed{Name: anna, Left: 3, Origin: from}},
		{"", TemporaryPasscode{Name: anna, Until: at.Add(8 * time.Hour), Origin: Origin{At: at}}},
		{"many", TemporaryPasscode{Name: anna, Until: at.Add(8 * time.Hour), Many: true, Origin: Origin{At: at}}},
		{"", Invitation{Name: anna, Link: "https://login.example.org/t/demo/enroll#i1.ABCDEFGHIJKLMNOPQRSTUVWXY2",
			Code: "ABCDEFGHIJKLMNOPQRSTUVWXY2", Until: at.AddDate(0, 0, 7)}},
	}
}

// qr makes the QR code of a link.
func qr(link string) QR {
	code, err := qrcode.New(link, qrcode.Medium)
	if err != nil {
		panic(err)
	}
	code.DisableBorder = true
	modules := code.Bitmap()
	var path strings.Builder
	for y, row := range modules {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return QR{path.String(), len(modules)}
}

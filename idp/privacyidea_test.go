package idp_test

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// checking is a push policy with this presence check.
func checking(presence policy.Presence) policy.Push {
	p := policy.DefaultPush()
	p.Presence = presence
	return p
}

func storeApp(rule policy.PlatformRule) policy.Platforms {
	p := policy.DefaultPlatforms()
	p[identity.PrivacyIDEA] = rule
	return p
}

// Where it would be of use it stands in the choice of platform; where it would
// not, it does not, and its form leads nowhere.
func TestPUSH24_StoreAppInTheChoice(t *testing.T) {
	on := policy.PlatformRule{Allowed: true, Push: true}
	off := checking(policy.Pick)
	off.Enabled = false
	pin := policy.DefaultTemplate()
	pin.PIN = policy.UserPIN
	for _, tt := range []struct {
		name    string
		set     []policy.Document
		offered bool
	}{
		{"allowed, picking", []policy.Document{storeApp(on), checking(policy.Pick)}, true},
		{"allowed, plain", []policy.Document{storeApp(on), checking(policy.NoPresence)}, true},
		{"a number to type", []policy.Document{storeApp(on), checking(policy.Enter)}, false},
		{"six digits to type", []policy.Document{storeApp(on), checking(policy.SixDigits)}, false},
		{"a PIN in the template", []policy.Document{storeApp(on), checking(policy.Pick), pin}, false},
		{"push off", []policy.Document{storeApp(on), off}, false},
		{"without push", []policy.Document{storeApp(policy.PlatformRule{Allowed: true}), checking(policy.Pick)}, false},
		{"not allowed", []policy.Document{checking(policy.Pick)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newcomer(t, storetest.SQLite(t), tt.set...).toPlatform().sees(`name="platform"`)
			if got := strings.Contains(v.page, `value="privacyidea"`); got != tt.offered {
				t.Errorf("offered %v, want %v", got, tt.offered)
			}
			if v.send("platform", "privacyidea"); tt.offered {
				v.sees(`class="qr"`)
				if strings.Contains(v.page, "short-code") {
					t.Error("the page has a code to type that no app takes")
				}
			} else {
				v.sees(`name="platform"`)
			}
		})
	}
}

// Who has this app alone is not asked for passcodes that nothing makes: the page
// says why there is no way on.
func TestPUSH9a_StoreAppAlone(t *testing.T) {
	for _, tt := range []struct {
		name     string
		presence policy.Presence
		sees     string
	}{
		{"reached", policy.Pick, `value="push"`},
		{"a number to type", policy.Enter, "makes no passcodes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newcomer(t, storetest.SQLite(t), storeApp(policy.PlatformRule{Allowed: true, Push: true}), checking(tt.presence))
			now := s.Clock.Now()
			s.Do(t, func(tx *store.Tx) error {
				return tx.Authenticators().Add(t.Context(), identity.Authenticator{Tenant: s.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID),
					Serial: "LK-STORE", Kind: identity.AppToken, Protocol: identity.PrivacyIDEAPush, Name: "privacyIDEA Authenticator",
					Platform: identity.PrivacyIDEA, LastStep: -1, Template: []byte(`{}`), Capabilities: []string{"presence:none", "presence:pick"},
					ActivatedAt: now, PushOnAt: now}, s.User.ID)
			})
			v := s.userAgent().open("/t/demo/login").send("username", "berit.lie").send("password", password).sees(tt.sees)
			if strings.Contains(v.page, `name="passcode"`) || strings.Contains(v.page, `value="passcode"`) {
				t.Errorf("a passcode is asked for:\n%s", v.page)
			}
		})
	}
}

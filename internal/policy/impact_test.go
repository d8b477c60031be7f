package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

var impactTime = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// app is an active authenticator app with push on; it makes passcodes too.
func app(platform identity.Platform, capabilities ...string) identity.Authenticator {
	return identity.Authenticator{Kind: identity.AppToken, Platform: platform, Capabilities: capabilities, Step: 30, ActivatedAt: impactTime, PushOnAt: impactTime}
}

func token(kind identity.AuthenticatorKind) identity.Authenticator {
	return identity.Authenticator{Kind: kind, Step: 30, ActivatedAt: impactTime}
}

func classWith(groups []string, all ...identity.Authenticator) UserClass {
	return UserClass{Holder: Holder{Groups: groups, Authenticators: all, EverEnrolled: len(all) > 0}, Users: 3}
}

func defaults() Documents {
	return Documents{Access: DefaultAccess(), Push: DefaultPush(), Platforms: DefaultPlatforms(), Credentials: DefaultCredentials(),
		SelfProvisioning: DefaultSelfProvisioning(), Template: DefaultTemplate(), Lockout: DefaultLockout()}
}

// Users are counted if passcodes are refused and no app of theirs could answer a push.
func TestPUSH5_LockedOut(t *testing.T) {
	phone := app(identity.Android, "presence:none", "presence:enter")
	old := app(identity.Android, "presence:none")
	elsewhere := app(identity.Windows, "presence:none", "presence:enter")
	for _, tt := range []struct {
		name   string
		tenant string
		class  UserClass
		want   Reason
	}{
		{"codes are allowed", "YYE", classWith(nil, token(identity.TOTP)), ""},
		{"a phone", "YNE", classWith(nil, phone), ""},
		{"two, one of which can", "YNE", classWith(nil, old, phone), ""},
		{"an app too old", "YNE", classWith(nil, old), NoPresenceCheck},
		{"which is enough for a plain push", "YNN", classWith(nil, old), ""},
		{"a platform without push", "YNE", classWith(nil, elsewhere), NoPushPlatform},
		{"passcodes alone", "YNE", classWith(nil, token(identity.TOTP)), NoPushApp},
		{"a passkey", "YNE", classWith(nil, token(identity.Passkey)), ""},
		{"push off never refuses codes", "NNE", classWith(nil, token(identity.TOTP)), ""},
		{"a group's policy instead", "YYE", classWith([]string{"strict"}, token(identity.TOTP)), NoPushApp},
		{"nothing yet, and codes refused", "YNE", classWith(nil), NoAuthenticator},
		{"nothing yet", "YYE", classWith(nil), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after := defaults(), defaults()
			before.Platforms[identity.Windows] = PlatformRule{Allowed: true} // without push (PUSH-6)
			after.Platforms = before.Platforms
			after.Push.PushSettings = settings(tt.tenant)
			after.Push.Groups = map[string]PushSettings{"strict": settings("YNE")}
			i := NewImpact(before, after, nil, impactTime)
			if got, at := i.LockedOut(tt.class.Holder); got != tt.want || at != "" {
				t.Errorf("got %q at %q, want %q", got, at, tt.want)
			}
			if got := NewImpact(after, after, nil, impactTime).Count([]UserClass{tt.class}); got.Users != 0 {
				t.Errorf("no change locks out %+v", got)
			}
		})
	}
	before, after := defaults(), defaults()
	after.Push.CodesAllowed = false
	got := NewImpact(before, after, nil, impactTime).Count([]UserClass{{Users: 2}, classWith(nil, token(identity.TOTP)), classWith(nil, phone)})
	if want := (LockedOut{Users: 5, Unenrolled: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Every policy that decides about ways to confirm can take one away, and each is asked.
func TestPUSH5_ByWhicheverPolicy(t *testing.T) {
	phone := app(identity.Android, "presence:none", "presence:enter")
	only := func(d *Documents, r Rule) { d.Access.Rules = append([]Rule{r}, d.Access.Rules...) }
	both := []identity.Validation{identity.Password, identity.SecondFactor}
	for _, tt := range []struct {
		name   string
		before func(*Documents)
		change func(*Documents)
		class  UserClass
		want   Reason
		at     string
	}{
		{"steps of push alone", nil, func(d *Documents) {
			only(d, Rule{Name: "r", Require: both, Steps: []identity.FactorStep{identity.PushStep}})
		},
			classWith(nil, token(identity.TOTP)), NoPushApp, ""},
		{"which the owner of a phone meets", nil, func(d *Documents) {
			only(d, Rule{Name: "r", Require: both, Steps: []identity.FactorStep{identity.PushStep}})
		},
			classWith(nil, phone), "", ""},
		{"at one application", nil, func(d *Documents) {
			only(d, Rule{Name: "r", Applications: []string{"app_pay"}, Require: both, Steps: []identity.FactorStep{identity.PushStep}})
		}, classWith(nil, token(identity.TOTP)), NoPushApp, "Payroll"},
		{"from one network", nil, func(d *Documents) {
			only(d, Rule{Name: "r", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Require: both, Steps: []identity.FactorStep{identity.PushStep}})
		}, classWith(nil, token(identity.TOTP)), NoPushApp, ""},
		{"one group", nil, func(d *Documents) {
			only(d, Rule{Name: "r", Groups: []string{"nurses"}, Require: both, Steps: []identity.FactorStep{identity.PushStep}})
		}, classWith([]string{"others"}, token(identity.TOTP)), "", ""},
		{"denied", nil, func(d *Documents) { only(d, Rule{Name: "r", Deny: true}) }, classWith(nil, phone), AccessDenied, ""},
		{"no second factor any more", func(d *Documents) { d.Push.CodesAllowed = false }, func(d *Documents) {
			d.Access.Rules = []Rule{{Name: "r", Require: []identity.Validation{identity.Password}}}
		}, classWith(nil, token(identity.TOTP)), "", ""},
		{"a passkey wanted", nil, func(d *Documents) {
			d.Access.Rules = []Rule{{Name: "r", Require: []identity.Validation{identity.Password, identity.VerifiedPasskey}}}
		}, classWith(nil, phone), NoPasskey, ""},
		{"passkeys off", nil, func(d *Documents) { d.Credentials.Passkeys = NoPasskeys }, classWith(nil, token(identity.Passkey)), NoAuthenticator, ""},
		{"no apps", func(d *Documents) { d.Push.CodesAllowed = false }, func(d *Documents) {
			d.Credentials.Kinds = []identity.AuthenticatorKind{identity.TOTP, identity.HOTP}
			d.Platforms, d.SelfProvisioning = d.Credentials.Restrict(d.Platforms, d.SelfProvisioning)
		}, classWith(nil, phone), NoPushPlatform, ""},
		{"nothing to enrol any more", nil, func(d *Documents) {
			d.Credentials.Kinds = []identity.AuthenticatorKind{identity.HOTP}
			d.Platforms, d.SelfProvisioning = d.Credentials.Restrict(d.Platforms, d.SelfProvisioning)
		}, classWith(nil), NoAuthenticator, ""},
		{"enrolling closed", nil, func(d *Documents) { d.SelfProvisioning.Target = TargetNone }, classWith(nil), NoAuthenticator, ""},
		{"platform without push", func(d *Documents) { d.Push.CodesAllowed = false }, func(d *Documents) {
			d.Platforms = Platforms{identity.Android: {Allowed: true}}
		}, classWith(nil, phone), NoPushPlatform, ""},
		{"fewer failures", nil, func(d *Documents) { d.Lockout.Threshold = 3 },
			UserClass{Users: 1, Holder: Holder{Authenticators: []identity.Authenticator{phone}, Failures: 4}}, TooManyFailures, ""},
		{"an application that shows no number", nil, func(d *Documents) { d.Push.CodesAllowed = false }, classWith(nil, phone), NoPushAllowed, "VPN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := defaults()
			before.Credentials.Passkeys = SecondFactor
			if tt.before != nil {
				tt.before(&before)
			}
			after := before
			tt.change(&after)
			apps := []ImpactApplication{{ID: "app_wiki", Name: "Wiki"}, {ID: "app_pay", Name: "Payroll"}}
			if tt.at == "VPN" {
				apps = append(apps, ImpactApplication{ID: "app_vpn", Name: "VPN", CannotShow: true})
			}
			if got, at := NewImpact(before, after, apps, impactTime).LockedOut(tt.class.Holder); got != tt.want || at != tt.at {
				t.Errorf("got %q at %q, want %q at %q", got, at, tt.want, tt.at)
			}
		})
	}
}

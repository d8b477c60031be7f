package journey

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// What says to an operator that a user has no way in, and what refuses the user, agree:
// by whatever policies, and with whatever the user has. Only of a user who has nothing,
// where passcodes are refused, an operator is told, though the login offers to enrol.
func TestPUSH5_BarredIsWhoIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // a reproducible sequence, not a secret
	flip := func() bool { return r.IntN(2) == 0 }
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	steps := [][]identity.FactorStep{nil, {identity.PushStep}, {identity.PushWithPresenceStep}, {identity.PasscodeStep}, {identity.PasscodeStep, identity.PushStep}}
	required := [][]identity.Validation{{identity.Password}, {identity.Password, identity.SecondFactor}, {identity.Password, identity.VerifiedPasskey}}
	refused := 0
	for n := range 50_000 {
		d := policy.Documents{Access: policy.DefaultAccess(), Push: policy.DefaultPush(), Platforms: policy.DefaultPlatforms(), Credentials: policy.DefaultCredentials(),
			SelfProvisioning: policy.DefaultSelfProvisioning(), Template: policy.DefaultTemplate(), Lockout: policy.DefaultLockout()}
		d.Push.PushSettings = policy.PushSettings{Enabled: flip(), CodesAllowed: flip(), Presence: []policy.Presence{policy.NoPresence, policy.Pick, policy.Enter}[r.IntN(3)]}
		d.Credentials.Passkeys = []string{policy.NoPasskeys, policy.SecondFactor, policy.Passwordless}[r.IntN(3)]
		d.Credentials.RecoveryCodes, d.SelfProvisioning.ThirdParty = flip(), flip()
		if flip() {
			d.SelfProvisioning.Target = policy.TargetNone
		}
		if flip() {
			d.Credentials.Kinds = []identity.AuthenticatorKind{identity.TOTP}
		}
		if flip() {
			d.Platforms = policy.Platforms{identity.Android: {Allowed: true}}
		}
		d.Platforms, d.SelfProvisioning = d.Credentials.Restrict(d.Platforms, d.SelfProvisioning)
		h := policy.Holder{RecoveryCodes: flip(), Temporary: flip(), EverEnrolled: flip()}
		for range r.IntN(3) {
			a := identity.Authenticator{Kind: []identity.AuthenticatorKind{identity.AppToken, identity.TOTP, identity.HOTP, identity.Passkey}[r.IntN(4)],
				Platform: []identity.Platform{identity.Android, identity.IOS}[r.IntN(2)], Step: 30, ActivatedAt: now}
			if flip() {
				a.PushOnAt, a.Capabilities = now, [][]string{{"presence:none"}, {"presence:none", "presence:enter", "presence:pick"}}[r.IntN(2)]
			}
			if a.Kind == identity.AppToken && flip() {
				a.Suite, a.Step = "OCRA-1:HOTP-SHA256-6:QN08", 0
			}
			if r.IntN(4) == 0 {
				a.LockedAt = now
			}
			h.Authenticators = append(h.Authenticators, a)
		}
		j := &identity.Journey{Name: "berit", UserID: "usr_x", Required: required[r.IntN(len(required))], Steps: steps[r.IntN(len(steps))], StartedAt: now,
			ExpiresAt: now.Add(time.Hour), Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}}}
		login := policy.Login{Required: j.Required, PushContext: policy.PushContext{Proved: true, Rejected: flip(), Steps: j.Steps, CannotShow: flip(), AllowPlain: flip()}}
		ways := d.Ways(h, login, now)
		facts := Facts{Temporary: h.Temporary}
		facts.setWays(ways)
		step, reason := Next(j, facts, now)
		stops := step == Refused || step == PushLocked || step == AppTooOld
		why := ways.Barred(j.Required)
		if step == EnrollOffer && !ways.CodesAllowed && why == policy.NoAuthenticator {
			continue
		}
		if (why != "") != stops {
			t.Fatalf("%d: barred %q, but the login stands at %q (%q)\n%+v\n%+v", n, why, step, reason, ways, h)
		}
		if stops {
			refused++
		}
	}
	if refused < 5000 {
		t.Errorf("only %d were refused; this proves little", refused)
	}
}

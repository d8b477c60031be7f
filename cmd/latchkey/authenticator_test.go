package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// provision hands an authenticator out and reads its key back from the link.
func (p installation) provision(args ...string) (provisionedRow, otp.Key) {
	p.t.Helper()
	out := read[provisionedRow](p, "", append([]string{"authenticator", "add"}, args...)...)
	return out, otptest.ReadLink(p.t, out.URI)
}

// toPasscode goes from the portal as far as the second factor, of which there is
// but one kind here.
func (b *browser) toPasscode(base, name string) {
	b.t.Helper()
	b.open(base + "/")
	b.post("username", name)
	b.post("password", "correct horse", "do", "continue")
}

// Everything an operator does with authenticators, beside a running server,
// which goes by it at its next step.
func TestAuthenticators(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		t.Setenv("LATCHKEY_DATABASE", source)
		testAuthenticators(t)
	})
}

func testAuthenticators(t *testing.T) {
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")

	fob, counted := p.provision("hotp", "--user", "anna", "--name", "Fob", "--digits", "8")
	if fob.State != "active" || fob.Kind != "hotp" || fob.Digits != 8 || fob.Users[0] != "anna" || !counted.Event || !strings.Contains(fob.QR, "█") {
		t.Fatalf("provisioned: %+v", fob)
	}
	b := newBrowser(t)
	b.toPasscode(base, "anna")
	b.post("passcode", otp.HOTP(counted.Secret, counted.Params, 2), "do", "continue") // two made in vain
	if b.at.Path != "/t/default/me" {
		t.Fatalf("a passcode of the fob led to %s", b.at)
	}

	app, timed := p.provision("totp", "--user", "Anna", "--secret", "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "--period", "60")
	if app.Secret != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || app.Period != 60 || timed.Params.Period != 60 {
		t.Errorf("provisioned: %+v", app)
	}
	if listed := p.succeeds("", "authenticator", "list", "--user", "anna"); strings.Contains(listed+p.succeeds("", "authenticator", "show", app.Serial, "--json"), app.Secret) {
		t.Error("the secret can be read again")
	}
	said := p.succeeds("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJA\n", "authenticator", "add", "totp", "--user", "anna", "--secret", "-", "--name", "Third")
	if strings.Count(said, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJA") != 1 || !strings.Contains(said, "otpauth://totp/") || !strings.Contains(said, "▄") {
		t.Errorf("said:\n%s", said)
	}

	// What it stands at, and what the server makes of it.
	logsIn := func(serial string, key otp.Key, want bool) {
		t.Helper()
		b := newBrowser(t)
		b.toPasscode(base, "anna")
		if !strings.Contains(b.page, `name="passcode"`) {
			t.Errorf("%s: nobody asks for a passcode, but:\n%s", serial, b.page)
		}
		b.post("passcode", otp.TOTP(key.Secret, key.Params, time.Now()), "do", "continue")
		if arrived := b.at.Path == "/t/default/me"; arrived != want {
			t.Errorf("a passcode of %s arrived: %v, want %v", serial, arrived, want)
		}
	}
	for _, step := range []struct{ do, state string }{{"lock", "locked"}, {"suspend", "suspended"}, {"resume", "locked"}} {
		if row := read[authenticatorRow](p, "", "authenticator", step.do, app.Serial); row.State != step.state {
			t.Errorf("after %s: %s, want %s", step.do, row.State, step.state)
		}
	}
	logsIn(app.Serial, timed, false)
	if shown := read[authenticatorRow](p, "", "authenticator", "show", app.Serial); shown.State != "locked" || shown.LockedAt.IsZero() || shown.Users[0] != "anna" {
		t.Errorf("shown: %+v", shown)
	}
	p.fails(exitFailed, "is locked", "", "authenticator", "lock", app.Serial)
	p.fails(exitFailed, "is locked", "", "authenticator", "resume", app.Serial)
	p.succeeds("", "authenticator", "unlock", app.Serial)
	logsIn(app.Serial, timed, true)
	if out := p.succeeds("", "authenticator", "show", app.Serial); !strings.Contains(out, "6 digits every 60 seconds") {
		t.Errorf("shown:\n%s", out)
	}
	p.succeeds("", "authenticator", "revoke", fob.Serial)
	if state := read[authenticatorRow](p, "", "authenticator", "show", fob.Serial).State; state != "revoked" {
		t.Errorf("after revoke: %s", state)
	}

	// Every change left its event, by the command line, and none holds a secret.
	for kind, want := range map[string]int{"authenticator.added": 3, "authenticator.locked": 1, "authenticator.suspended": 1,
		"authenticator.resumed": 1, "authenticator.unlocked": 1, "authenticator.revoked": 1} {
		events := read[[]report.Event](p, "", "audit", "list", "--kind", kind)
		if len(events) != want || slices.ContainsFunc(events, func(e report.Event) bool { return !strings.Contains(e.ActorName, ": latchkey authenticator ") }) {
			t.Errorf("%s: %+v, want %d by the command line", kind, events, want)
		}
	}
	if all := p.succeeds("", "audit", "list", "--json"); strings.Contains(all, "GEZDGNBV") {
		t.Error("the audit has a secret")
	}
}

func TestAuthenticators_Use(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("correct horse\n", "user", "add", "anna")
	app, _ := p.provision("totp", "--user", "anna")
	wrong := app.Serial[:len(app.Serial)-1] + "U" // no serial has one
	for _, command := range []string{"show", "lock", "unlock", "suspend", "resume", "revoke", "set --push off"} {
		p.fails(exitFailed, "did you mean \""+app.Serial+"\"?", "", append(strings.Fields("authenticator "+command), wrong)...)
	}
	p.fails(exitFailed, `did you mean "anna"`, "", "authenticator", "add", "totp", "--user", "ana")
	p.fails(exitUsage, "--user", "", "authenticator", "add", "hotp")
	p.fails(exitUsage, "--digits", "", "authenticator", "add", "hotp", "--user", "anna", "--digits", "7")
	p.fails(exitUsage, "--period", "", "authenticator", "add", "totp", "--user", "anna", "--period", "45")
	p.fails(exitUsage, "not Base32", "", "authenticator", "add", "totp", "--user", "anna", "--secret", "hunter2")
	p.fails(exitUsage, "no secret", "", "authenticator", "add", "totp", "--user", "anna", "--secret", "-")
	if listed := read[[]authenticatorRow](p, "", "authenticator", "list"); len(listed) != 1 {
		t.Errorf("what was refused added: %+v", listed)
	}
}

// What an operator is shown of an authenticator says with which template it was enrolled, its
// mode, what PIN it asks for and how long its passcodes are.
func TestAuthenticatorShowNamesTheTemplate(t *testing.T) {
	now := time.Now()
	template := func(change func(t *policy.Template)) []byte {
		t := policy.DefaultTemplate()
		change(&t)
		text, err := policy.Encode(t)
		if err != nil {
			panic(err)
		}
		return text
	}
	for _, tt := range []struct {
		name          string
		authenticator identity.Authenticator
		want          map[string]string
	}{
		{"standard", identity.Authenticator{Kind: identity.AppToken, Digits: 6, Step: 30, Template: template(func(*policy.Template) {})},
			map[string]string{"Template": "Standard", "Mode": "quick-log", "PIN": "none", "Passcodes": "6 digits every 30 seconds"}},
		{"with a PIN", identity.Authenticator{Kind: identity.AppToken, Digits: 8, Step: 60, Template: template(func(t *policy.Template) {
			t.Name, t.PIN, t.PINLength, t.Biometric = "Nurses", policy.UserPIN, 5, true
		})}, map[string]string{"Template": "Nurses", "PIN": "user, 5 characters or more, decimal, 10 wrong ones lock, or a finger or face", "Passcodes": "8 digits every 60 seconds"}},
		{"challenges", identity.Authenticator{Kind: identity.AppToken, Digits: 8, Suite: "OCRA-1:HOTP-SHA1-8:QN08", Template: template(func(t *policy.Template) {
			t.Mode, t.Length = policy.ChallengeResponse, 8
		})}, map[string]string{"Template": "Standard", "Mode": "challenge-response", "Passcodes": "none: 8 digits in response to a challenge"}},
		{"a token with a server-side PIN", identity.Authenticator{Kind: identity.HOTP, Digits: 6, ServerPIN: true, Template: []byte(`{}`)},
			map[string]string{"Template": "", "Mode": "", "PIN": "server", "Passcodes": "6 digits by counter"}},
		{"a passkey", identity.Authenticator{Kind: identity.Passkey, Template: []byte(`{}`)},
			map[string]string{"Template": "", "PIN": "", "Passcodes": "none: it signs"}},
	} {
		row := rowOfAuthenticator(tt.authenticator, now)
		got := make(map[string]string)
		for _, cells := range row.rows() {
			got[cells[0]] = cells[1]
		}
		for label, want := range tt.want {
			if value, ok := got[label]; !ok || value != want {
				t.Errorf("%s: %s %q, want %q", tt.name, label, value, want)
			}
		}
		if row.Template != tt.want["Template"] || row.Template == "Nurses" && (row.PIN != "user" || row.PINLength != 5) {
			t.Errorf("%s: in JSON %+v", tt.name, row)
		}
	}
}

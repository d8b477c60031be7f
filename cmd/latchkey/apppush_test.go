package main

import (
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// An operator says what an application can show, and what is allowed there; each
// change is an event, and a change that is none leaves none.
func TestPUSH21_ApplicationsThatCannotShowANumber(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "app", "add", "oidc", "--name", "Wiki", "--redirect-uri", "https://wiki.example.org/callback")
	for _, tt := range []struct {
		flag              string
		cannotShow, plain bool
		said              string
	}{
		{"--cannot-show-number", true, false, "none that needs one"},
		{"--cannot-show-number", true, false, "none that needs one"},
		{"--push-without-presence", true, true, "a plain push is allowed"},
		{"--no-push-without-presence", true, false, "none that needs one"},
		{"--can-show-number", false, false, "shows a number"},
	} {
		p.succeeds("", "app", "set", "Wiki", tt.flag)
		got := read[appShown](p, "", "app", "show", "Wiki")
		if got.CannotShowNumber != tt.cannotShow || got.PushWithoutPresence != tt.plain || !strings.Contains(p.succeeds("", "app", "show", "Wiki"), tt.said) {
			t.Errorf("%s: %+v, want %t, %t", tt.flag, got.appRow, tt.cannotShow, tt.plain)
		}
	}
	events := p.events(audit.ApplicationChanged)
	if len(events) != 4 || events[3].Data["cannot_show_number_after"] != "true" || events[0].Data["cannot_show_number_before"] != "true" {
		t.Errorf("events: %+v, want 4", events)
	}
	for _, a := range read[[]appRow](p, "", "app", "list") {
		if a.CannotShowNumber || a.PushWithoutPresence {
			t.Errorf("in the list: %+v", a)
		}
	}
}

// Only what can have push can have it switched on.
func TestPUSH8_OperatorsSwitchPush(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "user", "add", "anna", "--no-password")
	app, _ := p.provision("totp", "--user", "anna")
	p.fails(exitFailed, "is no authenticator app", "", "authenticator", "set", app.Serial, "--push", "on")
	p.fails(exitUsage, "--push", "", "authenticator", "set", app.Serial)
	p.fails(exitUsage, "--push", "", "authenticator", "set", app.Serial, "--push", "maybe")
	p.succeeds("", "authenticator", "suspend", app.Serial)
	p.fails(exitFailed, "is suspended", "", "authenticator", "set", app.Serial, "--push", "off")
}

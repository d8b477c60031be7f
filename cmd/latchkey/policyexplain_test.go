package main

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/admin"
)

// Of each setting, the groups that made it so, and only those.
func TestPUSH4_ExplainNamesTheGroups(t *testing.T) {
	p := newInstallation(t)
	for _, group := range []string{"Doctors", "Nurses", "Visitors"} {
		p.succeeds("", "group", "add", group)
	}
	p.succeeds("", "user", "add", "anna", "--no-password", "--group", "Doctors", "--group", "Nurses", "--group", "Visitors")
	p.succeeds(`{"groups":{"Nurses":{"enabled":true,"codes_allowed":false,"presence":"none"},
		"Doctors":{"enabled":true,"codes_allowed":true,"presence":"enter"},
		"Visitors":{"enabled":false,"codes_allowed":false,"presence":"six-digits"}}}`, "policy", "set", "push", "--yes")
	got := make(map[string]admin.Finding)
	for _, f := range read[[]admin.Finding](p, "", "policy", "explain", "--user", "anna", "--app", "Hospital") {
		got[f.Setting] = f
	}
	for setting, want := range map[string][2]string{
		"push":           {"yes", "group Doctors, Nurses"},
		"passcodes":      {"no", "group Nurses"},
		"presence check": {"enter", "group Doctors"},
		"login":          {"after password, otp", "rule everyone, the default"},
	} {
		if f := got[setting]; f.Value != want[0] || f.Because != want[1] {
			t.Errorf("%s: %s because %s, want %s because %s", setting, f.Value, f.Because, want[0], want[1])
		}
	}
}

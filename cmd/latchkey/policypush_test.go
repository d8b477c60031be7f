package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// setPush sets the push policy by flags and returns it.
func (p installation) setPush(flags ...string) (set policy.Push) {
	p.t.Helper()
	document := read[policyRow](p, "", append([]string{"policy", "set", "push"}, flags...)...).Document
	if err := json.Unmarshal(document, &set); err != nil {
		p.t.Fatal(err)
	}
	return set
}

// Each flag changes what it names, and nothing else.
func TestPUSH1_SetByFlags(t *testing.T) {
	p := newInstallation(t)
	want := policy.DefaultPush()
	for _, tt := range []struct {
		flags string
		now   func()
	}{
		{"--presence six-digits", func() { want.Presence = policy.SixDigits }},
		{"--no-codes", func() { want.CodesAllowed = false }},
		{"--no-mobile-push", func() { want.Enabled = false }},
		{"--mobile-push --codes", func() { want.Enabled, want.CodesAllowed = true, true }},
		{"--limit 3 --lock 2h --lifetime 90s --pick-digits 2", func() { want.Limit, want.Lock, want.Lifetime, want.PickDigits = 3, 7200, 90, 2 }},
		{"--before-password --alert-user", func() { want.BeforePassword, want.Alerts.User = true, true }},
		{"--no-before-password", func() { want.BeforePassword = false }},
	} {
		tt.now()
		got, err := json.Marshal(p.setPush(strings.Fields(tt.flags)...))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := json.Marshal(want); err != nil || string(got) != string(want) {
			t.Errorf("%s: got %s, want %s", tt.flags, got, want)
		}
	}
	if events := p.events(audit.PolicyChanged); len(events) != 7 {
		t.Errorf("%d events, want 7", len(events))
	}
}

// A group's policy is the tenant's, but for what was said; and it can go again.
func TestPUSH2_SetOfAGroup(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	p.setPush("--presence", "pick")
	set := p.setPush("--group", "nurses", "--no-codes")
	for id, got := range set.Groups {
		if want := (policy.PushSettings{Enabled: true, Presence: policy.Pick}); !strings.HasPrefix(id, "grp_") || got != want {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	if set = p.setPush("--group", "Nurses", "--presence", "none"); len(set.Groups) != 1 || set.Presence != policy.Pick {
		t.Errorf("got %+v", set)
	}
	if set = p.setPush("--group", "Nurses", "--none"); len(set.Groups) != 0 {
		t.Errorf("still there: %+v", set.Groups)
	}
	p.fails(exitFailed, `did you mean "Nurses"`, "", "policy", "set", "push", "--group", "Nurse", "--codes")
	for _, wrong := range [][]string{{"--group", "Nurses"}, {"--none"}, {"--group", "Nurses", "--limit", "3"}, {"--group", "Nurses", "--none", "--codes"},
		{"--group", "Nurses", "--alert-address", "desk@example.org"}, {"--no-alert-address", "--alert-address", "desk@example.org"}} {
		p.fails(exitUsage, "", "", append([]string{"policy", "set", "push"}, wrong...)...)
	}
	p.fails(exitUsage, `--no-codes is a flag of "latchkey policy set push"`, "", "policy", "set", "platforms", "--no-codes")
}

// What is wrong is named: the setting, its line where there is one, and what it
// may be.
func TestPUSH1_WhatIsWrong(t *testing.T) {
	p := newInstallation(t)
	p.fails(exitFailed, "limit: must be from 1 to 20", "", "policy", "set", "push", "--limit", "21")
	p.fails(exitFailed, "limit: must be from 1 to 20", "", "policy", "set", "push", "--limit", "0")
	p.fails(exitFailed, "presence: must be one of: none, pick, enter, six-digits", "", "policy", "set", "push", "--presence", "nod")
	p.fails(exitFailed, "lock: must be from 300 to 86400", "", "policy", "set", "push", "--lock", "4m")
	p.fails(exitFailed, "line 3: lock: must be from 300 to 86400", "{\n\"limit\": 4,\n\"lock\": 2}", "policy", "set", "push")
	p.fails(exitFailed, "line 2: there is no group “Nurses”", "{\"groups\": {\n\"Nurses\": {\"presence\": \"pick\"}}}", "policy", "set", "push")
	p.fails(exitFailed, "is no mail address", "", "policy", "set", "push", "--limit", "4", "--alert-address", "desk")
	if row := read[policyRow](p, "", "policy", "show", "push"); row.Version != 0 {
		t.Errorf("version %d of what was refused, want 0", row.Version)
	}
}

// Where operators are alerted is the tenant's, and its change an event.
func TestPUSH14_AlertAddresses(t *testing.T) {
	p := newInstallation(t)
	if _, _, said := p.run("", "policy", "set", "push", "--alert-operators"); !strings.Contains(said, "--alert-address") {
		t.Errorf("said %q of alerts that nobody reads", said)
	}
	p.setPush("--alert-address", "desk@example.org", "--alert-address", "night@example.org")
	if got := read[tenantShown](p, "", "tenant", "show").Alerts; !slices.Equal(got, []string{"desk@example.org", "night@example.org"}) {
		t.Errorf("alerts to %q", got)
	}
	p.setPush("--no-alert-address")
	if got := read[tenantShown](p, "", "tenant", "show").Alerts; len(got) > 0 {
		t.Errorf("alerts still to %q", got)
	}
	if row := read[policyRow](p, "", "policy", "show", "push"); row.Version != 1 {
		t.Errorf("version %d of the policy, which addresses do not change, want 1", row.Version)
	}
	if events := p.events(audit.TenantChanged); len(events) != 2 || events[1].Personal["after"] != "desk@example.org night@example.org" {
		t.Errorf("events: %+v", events)
	}
}

// A policy that leaves users without a way in is not set before somebody who
// knows how many, and whom, said yes. Taken out: the question, and both changes
// went through.
func TestPUSH5_SecondConfirmation(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	p.succeeds("", "user", "add", "anna", "--no-password", "--group", "Nurses")
	p.succeeds("", "user", "add", "bo", "--no-password")
	p.succeeds("", "authenticator", "add", "totp", "--user", "bo")
	set := []string{"policy", "set", "push", "--no-codes"}
	p.fails(exitFailed, "this would leave 2 users without a way in, 1 of them without any authenticator", "", set...)
	p.fails(exitFailed, "anna: has no authenticator\n", "", set...)
	p.fails(exitFailed, "bo: has no app with push switched on\n", "", set...)
	p.fails(exitFailed, "leave 1 user", `{"groups":{"Nurses":{"enabled":true,"codes_allowed":false,"presence":"pick"}}}`, "policy", "set", "push")
	if row := read[policyRow](p, "", "policy", "show", "push"); row.Version != 0 {
		t.Fatalf("set without a yes: version %d", row.Version)
	}
	p.succeeds("", append(set, "--yes")...)
	p.fails(exitFailed, "this would leave 2 users", "", "policy", "set", "platforms", "--no-push", "linux")
	p.setPush("--codes")
}

// Twenty are named, the others counted.
func TestPUSH5_NamesTwenty(t *testing.T) {
	p := newInstallation(t)
	var rows strings.Builder
	rows.WriteString("name\n")
	for _, a := range "abcde" {
		for _, b := range "vwxyz" {
			rows.WriteString(string(a) + string(b) + "\n")
		}
	}
	p.succeeds(rows.String(), "user", "import", "-")
	_, _, said := p.run("", "policy", "set", "push", "--no-codes")
	if got := strings.Count(said, "has no authenticator"); got != 20 || !strings.Contains(said, "and 5 more") {
		t.Errorf("%d named, want 20 and 5 more:\n%s", got, said)
	}
}

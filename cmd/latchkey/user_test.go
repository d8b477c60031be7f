package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// onEveryDatabase runs f in a folder on each kind of database at hand.
func onEveryDatabase(t *testing.T, f func(t *testing.T, p installation)) {
	for name, source := range storetest.Empty(t) {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" {
				f(t, newInstallation(t))
				return
			}
			f(t, newInstallation(t, "--database", source))
		})
	}
}

func TestUserSet(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "group", "add", "Nurses")
		p.succeeds("", "group", "add", "Doctors")
		p.succeeds("", "user", "add", "anna", "--no-password", "--group", "Nurses")
		set := read[userRow](p, "a good password\nno part of it\n", "user", "set", "Anna", "--mail", "anna@example.org", "--display-name", "Anna B",
			"--language", "de", "--add-group", "doctors", "--remove-group", "Nurses", "--password")
		if !set.Password || set.Mail != "anna@example.org" || set.DisplayName != "Anna B" || set.Language != "de" || strings.Join(set.Groups, ";") != "Doctors" {
			t.Errorf("set: %+v", set)
		}
		set = read[userRow](p, "", "user", "set", "anna", "--display-name", "", "--no-password", "--no-groups")
		if set.Password || set.DisplayName != "" || set.Mail == "" || len(set.Groups) != 0 {
			t.Errorf("taken away: %+v", set)
		}
		for _, tt := range []struct {
			want int
			says string
			args []string
		}{
			{exitUsage, "nothing to change", []string{"anna"}},
			{exitUsage, "exclude", []string{"anna", "--password", "--no-password"}},
			{exitUsage, "exclude", []string{"anna", "--group", "Nurses", "--no-groups"}},
			{exitFailed, `did you mean "anna"`, []string{"ana", "--mail", "x@example.org"}},
			{exitFailed, `did you mean "Nurses"`, []string{"anna", "--add-group", "Nurse"}},
			{exitFailed, "not a mail address", []string{"anna", "--mail", "anna"}},
			{exitFailed, "not a language tag", []string{"anna", "--language", "not a language"}},
		} {
			p.fails(tt.want, tt.says, "", append([]string{"user", "set"}, tt.args...)...)
		}
		p.fails(exitFailed, "at least 8", "short\n", "user", "set", "anna", "--password")
		if events := p.events(audit.UserChanged); len(events) != 2 || events[1].Personal["mail.after"] != "anna@example.org" {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestUserStates(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("a good password", "user", "add", "anna", "--mail", "anna@example.org")
		for _, tt := range []struct{ command, state string }{
			{"lock", "locked"}, {"disable", "disabled"}, {"enable", "locked"}, {"unlock", "enabled"}, {"unlock", "enabled"},
		} {
			if row := read[userRow](p, "", "user", tt.command, "Anna"); row.state() != tt.state {
				t.Errorf("after user %s: %s, want %s", tt.command, row.state(), tt.state)
			}
		}
		if out := p.succeeds("", "user", "disable", "anna"); !strings.Contains(out, "User anna is disabled.") {
			t.Errorf("user disable says %s", out)
		}
		p.fails(exitUsage, "Removing user anna", "", "user", "remove", "anna")
		if users := read[[]userRow](p, "", "user", "list"); len(users) != 1 {
			t.Errorf("unasked, %d users are left", len(users))
		}
		if gone := read[userRemoved](p, "", "user", "remove", "anna", "--yes"); gone.Events != 7 {
			t.Errorf("gone: %+v, want 7 events", gone)
		}
		p.fails(exitFailed, `there is no user "anna"`, "", "user", "show", "anna")
		if users := read[[]userRow](p, "", "user", "list"); len(users) != 0 {
			t.Errorf("users: %+v", users)
		}
		p.succeeds("", "user", "add", "Anna", "--no-password")
		if out := p.succeeds("", "audit", "list", "--json"); strings.Contains(out, "anna@example.org") {
			t.Errorf("the audit still knows the removed one's address:\n%s", out)
		}
	})
}

func TestGroupAndTenant(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "group", "add", "Nurses")
		p.succeeds("", "user", "add", "anna", "--no-password", "--group", "Nurses")
		shown := read[tenantShown](p, "", "tenant", "show")
		if shown.Slug != "default" || shown.Users != 1 || shown.Groups != 1 {
			t.Errorf("tenant: %+v", shown)
		}
		if out := p.succeeds("", "tenant", "show", "default"); !strings.Contains(out, "default") {
			t.Errorf("tenant show: %s", out)
		}
		p.fails(exitFailed, `did you mean "default"`, "", "tenant", "show", "defalt")
		p.fails(exitUsage, "1 memberships", "", "group", "remove", "nurses")
		p.fails(exitFailed, `did you mean "Nurses"`, "", "group", "remove", "nurse", "--yes")
		if gone := read[groupRemoved](p, "", "group", "remove", "nurses", "--yes"); gone.Members != 1 {
			t.Errorf("gone: %+v", gone)
		}
		if groups := read[[]groupRow](p, "", "group", "list"); len(groups) != 0 {
			t.Errorf("groups: %+v", groups)
		}
	})
}

func TestUserImport(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "group", "add", "Nurses")
		p.succeeds("", "group", "add", "Doctors, senior")
		p.succeeds("", "user", "add", "anna", "--no-password")
		bad := "\ufeffName,mail,groups\n" +
			"bo,bo@example.org,Nurses\n" +
			"anna,,\n" +
			"cy,cy@,Nurse;Doctors, senior\n" + // a comma that is not quoted
			"dee,dee,Nurse\n" +
			"BO,,\n" +
			"\"two\nlines\",,\n" +
			",x@example.org,\n"
		for _, args := range [][]string{{"--dry-run"}, {}} {
			code, stdout, stderr := p.run(bad, append([]string{"user", "import"}, args...)...)
			want := []string{"nothing was imported:",
				`line 3: name: there is a user "anna" already`,
				"line 4: has 4 fields, the header 3",
				"line 5: mail: That is not a mail address",
				`line 6: name: "BO" is in line 2 already`,
				"line 7: name: A name has",
				"line 9: name: A name has"}
			if lines := strings.Split(strings.TrimSpace(stderr), "\n"); code != exitFailed || stdout != "" || len(lines) != len(want) {
				t.Errorf("exit %d, %s, %d lines, want %d:\n%s", code, stdout, len(lines), len(want), stderr)
			}
			for _, line := range want {
				if !strings.Contains(stderr, line) {
					t.Errorf("does not say %q:\n%s", line, stderr)
				}
			}
		}
		if users := read[[]userRow](p, "", "user", "list"); len(users) != 1 {
			t.Errorf("%d users after what was wrong, want 1", len(users))
		}
		p.fails(exitFailed, "groupes: is not known; did you mean groups?", "name,groupes\na,b\n", "user", "import")
		p.fails(exitFailed, "name: is missing", "mail\na@example.org\n", "user", "import")
		p.fails(exitFailed, "did you mean \"Nurses\"", "name,groups\nbo,Nurse\n", "user", "import")
		p.fails(exitFailed, "not UTF-8", "name\nm\xfcller\n", "user", "import")

		file := filepath.Join(t.TempDir(), "people.csv")
		good := "groups,name,display_name\nNurses; \"x\n"
		if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		p.fails(exitFailed, "line 2", "", "user", "import", file)
		good = "groups,name,display_name,language,mail\nNurses; nurses,bo,Bo,de,\n\"Doctors, senior;Nurses\",cy,=1+1,,cy@example.org\n"
		if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if row := read[importRow](p, "", "user", "import", file, "--dry-run"); row != (importRow{Users: 2}) {
			t.Errorf("dry run: %+v", row)
		}
		if row := read[importRow](p, "", "user", "import", file); row != (importRow{2, 2}) {
			t.Errorf("import: %+v", row)
		}
		if cy := read[userRow](p, "", "user", "show", "cy"); len(cy.Groups) != 2 || cy.Mail != "cy@example.org" {
			t.Errorf("cy: %+v", cy)
		}
		if added, members := p.events(audit.UserAdded), p.events(audit.GroupMember); len(added) != 3 || len(members) != 3 {
			t.Errorf("%d users and %d members added by events, want 3 and 3", len(added), len(members))
		}
	})
}

// Ten thousand people come in a few seconds, and the twenty thousand events of
// that leave without taking memory.
func TestUserImport_TenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	onEveryDatabase(t, func(t *testing.T, p installation) {
		p.succeeds("", "group", "add", "Staff")
		var b strings.Builder
		b.WriteString("name,display_name,mail,groups\n")
		for i := range 10_000 {
			fmt.Fprintf(&b, "user%05d,User %d,user%05d@example.org,Staff\n", i, i, i)
		}
		began := time.Now()
		if row := read[importRow](p, b.String(), "user", "import"); row.Imported != 10_000 {
			t.Errorf("imported: %+v", row)
		}
		took := time.Since(began)
		t.Logf("10,000 users in %s", took.Round(time.Millisecond))
		if took > 5*time.Minute { // seconds it is, but for the race detector on a busy machine
			t.Errorf("10,000 users took %s", took)
		}
		lines, grown := p.measureExport()
		t.Logf("%d events exported, the heap grew by %d KiB", lines, grown>>10)
		if lines < 20_000 || grown > 24<<20 {
			t.Errorf("%d events exported, the heap grew by %d MiB; want 20,000 at least, and 24 at most", lines, grown>>20)
		}
	})
}

// Who interrupts an import is told exactly how far it came.
func TestUserImport_Interrupted(t *testing.T) {
	p := newInstallation(t)
	var b strings.Builder
	b.WriteString("name\n")
	const n = 20_000
	for i := range n {
		fmt.Fprintf(&b, "user%05d\n", i)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs syncBuffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"user", "import", "--dir", p.dir}, strings.NewReader(b.String()), &out, &errs)
	}()
	for len(read[[]userRow](p, "", "user", "list")) == 0 {
		time.Sleep(time.Millisecond)
	}
	interrupt()
	got := <-code
	users := len(read[[]userRow](p, "", "user", "list"))
	want := fmt.Sprintf("%d of %d users: those up to line %d of the file were imported, the others not: interrupted", users, n, users+1)
	if got != exitFailed || !strings.Contains(errs.String(), want) {
		t.Errorf("exit %d with %d users, says %s%s, want %q", got, users, out.String(), errs.String(), want)
	}
}

// A running server refuses the session of a user whom a command disabled
// beside it, within a quarter of a second.
func TestTLOG27_ARunningServerNoticesADisabledUser(t *testing.T) {
	onEveryDatabase(t, noticesADisabledUser)
}

func noticesADisabledUser(t *testing.T, p installation) {
	base := startServer(t, p.dir)
	p.succeeds("correct horse\n", "user", "add", "anna")
	p.succeeds(`{"rules":[{"name":"all","require":["password"]}]}`, "policy", "set", "access")
	b := newBrowser(t)
	b.open(base + "/")
	b.post("username", "anna")
	b.post("password", "correct horse", "do", "continue")
	if want := "/t/default/me"; b.at.Path != want {
		t.Fatalf("at %s, want %s:\n%s", b.at, want, b.page)
	}
	other := newBrowser(t)
	other.open(base + "/")
	other.post("username", "anna")
	p.succeeds("", "user", "disable", "anna")
	time.Sleep(250 * time.Millisecond)
	b.open(base + "/t/default/me")
	if b.at.Path == "/t/default/me" {
		t.Errorf("the session of a disabled user is still good")
	}
	other.post("password", "correct horse", "do", "continue")
	if !strings.Contains(other.page, "not right") {
		t.Errorf("a right password of a disabled user is told at %s:\n%s", other.at, other.page)
	}
}

// Interrupted, a command that asked nothing leaves no trace.
func TestConfirm_NobodyToAsk(t *testing.T) {
	s := &shell{stdin: strings.NewReader("yes\n"), stderr: io.Discard}
	if err := s.confirm(context.Background(), false, "Removing it destroys %d things.", 3); err == nil || !strings.Contains(err.Error(), "3 things. Say --yes") {
		t.Errorf("confirm without a terminal: %v, want a refusal that says what goes", err)
	}
	if err := s.confirm(context.Background(), true, ""); err != nil {
		t.Errorf("confirm --yes: %v", err)
	}
}

// An address that not every mail server can be told of is taken, and that is said where it is
// entered: by whoever types it, not by a mail that fails later.
func TestAddressesBeyondASCIIAreSaid(t *testing.T) {
	p := newInstallation(t)
	const said = "björn@bücher.example has letters beyond ASCII before the @"
	for _, args := range [][]string{
		{"user", "add", "bo", "--no-password", "--mail", "björn@bücher.example"},
		{"user", "set", "bo", "--mail", "björn@bücher.example"},
		{"user", "import", "-", "--dry-run"},
		{"tenant", "set", "--alert", "björn@bücher.example"},
		{"policy", "set", "push", "--alert-address", "björn@bücher.example"},
	} {
		code, _, errs := p.run("name,mail\nann,björn@bücher.example\n", args...)
		if code != exitOK || strings.Count(errs, said) != 1 {
			t.Errorf("%s: exit %d, %q", strings.Join(args, " "), code, errs)
		}
	}
	for _, mail := range []string{"bob@bücher.example", "bob@example.org"} {
		if code, _, errs := p.run("", "user", "set", "bo", "--mail", mail); code != exitOK || errs != "" {
			t.Errorf("%s: exit %d, %q", mail, code, errs)
		}
	}
	p.fails(exitFailed, "mail", "", "user", "set", "bo", "--mail", "bob@-bücher-.example")
}

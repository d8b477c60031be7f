package main

import (
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// awaitInvitationMail waits for so many enrolment mails in a folder and returns the link of
// the newest, and the code beside it.
func awaitInvitationMail(t *testing.T, folder string, mails int) (link, code string) {
	t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
		if err != nil || len(files) != mails {
			continue
		}
		var newest os.FileInfo
		for _, name := range files {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if newest == nil || info.ModTime().After(newest.ModTime()) {
				newest = info
			}
		}
		text, err := os.ReadFile(filepath.Join(folder, newest.Name()))
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(strings.ReplaceAll(string(text), "=\r\n", ""), "=3D", "=")
		if found := regexp.MustCompile(`(http://\S+/enroll)#i1\.([A-Z2-7]{26})`).FindStringSubmatch(plain); found != nil {
			return found[1], found[2]
		}
	}
	t.Fatalf("not %d mails with a link in %s", mails, folder)
	return "", ""
}

// Somebody who may not enrol alone is sent a link, and enrols by it without
// scripts: the password first, then the pages of the wizard, and no session.
func TestENR19_TheWholeWayByMail(t *testing.T) {
	t.Setenv("LATCHKEY_MAIL_FOLDER", "mails")
	t.Setenv("LATCHKEY_MAIL_FROM", "login@example.org")
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	mobile := installation{t, filepath.Join(t.TempDir(), "phone")}
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")
	p.succeeds("", "policy", "set", "self-provisioning", "--target", "none", "--yes")

	b := newBrowser(t)
	b.open(base + "/")
	b.post("username", "anna")
	b.post("password", "correct horse", "do", "continue")
	if !strings.Contains(b.page, "Ask for an enrolment mail") { // ENR-3
		t.Fatalf("who is no target user is not told how to enrol instead:\n%s", b.page)
	}

	p.succeeds("", "enrollment", "invite", "anna")
	link, code := awaitInvitationMail(t, filepath.Join(p.dir, "mails"), 1)
	b = newBrowser(t)
	b.open(link)
	b.post("secret", link+"#i1."+code, "do", "begin")
	b.post("password", "wrong", "do", "continue")
	b.post("password", "correct horse", "do", "continue")
	b.post("platform", "linux", "do", "continue")
	short := b.find(`id="short-code"[^>]*>([^<]+)<`)
	account := read[phone.Account](mobile, "", "phone", "activate", "--base", base, "--code", short)
	if account.State != "active" || account.User != "anna" {
		t.Fatalf("account: %+v", account)
	}
	b.post("do", "continue")
	if !strings.Contains(b.page, "Your authenticator is ready") {
		t.Fatalf("at %s:\n%s", b.at, b.page)
	}
	b.open(b.at.String())
	if !strings.Contains(b.page, "Your authenticator is ready") {
		t.Errorf("after a reload, at %s:\n%s", b.at, b.page)
	}
	for _, c := range b.client.Jar.(*cookiejar.Jar).Cookies(b.at) {
		if strings.Contains(c.Name, "session") {
			t.Errorf("enrolling by mail brought a session: %s", c.Name)
		}
	}
	if res, err := http.Get(link); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the bare link: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	other := newBrowser(t)
	other.open(link)
	other.post("secret", code, "do", "begin")
	if !strings.Contains(other.page, "was used already") {
		t.Errorf("the used link, at %s:\n%s", other.at, other.page)
	}
	list := read[[]invitationRow](p, "", "enrollment", "list")
	if len(list) != 1 || list[0].State != "used" || list[0].Mail != "sent" || list[0].EndedAt.IsZero() || list[0].To != "anna@example.org" {
		t.Errorf("list: %+v", list)
	}
	for _, kind := range []audit.Kind{audit.EnrollInvited, audit.EnrollInvitationBegun, audit.EnrollInvitationUsed, audit.EnrollFinished} {
		if got := p.events(kind); len(got) != 1 {
			t.Errorf("%d events %s, want 1", len(got), kind)
		}
	}
	for _, kind := range []audit.Kind{audit.LoginSucceeded, audit.LoginCancelled} {
		if got := p.events(kind); len(got) != 0 {
			t.Errorf("events %s: %+v", kind, got)
		}
	}
}

// Who gets a link, who does not and why, by names, by a group and by a file.
func TestENR19_WhoIsInvited(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	p.succeeds("", "user", "add", "anna", "--mail", "anna@example.org", "--no-password", "--group", "Nurses")
	p.succeeds("", "user", "add", "bo", "--no-password", "--group", "Nurses")
	p.succeeds("", "user", "add", "cy", "--mail", "cy@example.org", "--no-password")
	for _, tt := range []struct {
		name, stdin, says string
		code              int
		args              []string
	}{
		{"nobody named", "", "say whom to invite", exitUsage, nil},
		{"named twice", "", "say whom to invite", exitUsage, []string{"anna", "--group", "Nurses"}},
		{"no such user", "", `no user "ana"; did you mean "anna"?`, exitFailed, []string{"cy", "ana"}},
		{"no such group", "", `no group "Nurse"; did you mean "Nurses"?`, exitFailed, []string{"--group", "Nurse"}},
		{"no such user in a file", "name,mail\ncy,\ndora,\n", `no user "dora"`, exitFailed, []string{"--csv", "-"}},
		{"an empty file", "name\n", "no name in the file", exitFailed, []string{"--csv", "-"}},
		{"no unit", "", "neither hours", exitUsage, []string{"anna", "--valid", "7"}},
		{"too short", "", "1h at least and 30d at most", exitUsage, []string{"anna", "--valid", "0h"}},
		{"too long", "", "1h at least and 30d at most", exitUsage, []string{"anna", "--valid", "31d"}},
		{"far too long", "", "1h at least and 30d at most", exitUsage, []string{"anna", "--valid", "9223372036854775807d"}},
		{"below nothing", "", "1h at least and 30d at most", exitUsage, []string{"anna", "--valid=-7d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			installation{t, p.dir}.fails(tt.code, tt.says, tt.stdin, append([]string{"enrollment", "invite"}, tt.args...)...)
		})
	}
	if rows := read[[]invitationRow](p, "", "enrollment", "list"); len(rows) != 0 {
		t.Fatalf("a command that failed sent links: %+v", rows)
	}

	invite := func(stdin string, args ...string) string {
		t.Helper()
		var said []string
		for _, r := range read[[]inviteRow](p, stdin, append([]string{"enrollment", "invite"}, args...)...) {
			if r.Invited {
				said = append(said, r.User+": yes")
			} else {
				said = append(said, r.User+": "+r.Why)
			}
		}
		return strings.Join(said, "; ")
	}
	if got, want := invite("", "--group", "Nurses", "--dry-run"), "anna: yes; bo: has no mail address"; got != want {
		t.Errorf("dry run: %q, want %q", got, want)
	}
	if rows := read[[]invitationRow](p, "", "enrollment", "list"); len(rows) != 0 {
		t.Fatalf("a dry run sent links: %+v", rows)
	}
	if got, want := invite("mail,name\nx,ANNA\ny,anna\nz,bo\n", "--csv", "-", "--valid", "36h"), "anna: yes; bo: has no mail address"; got != want {
		t.Errorf("by a file: %q, want %q", got, want)
	}
	if got := invite("", "anna", "cy"); !strings.HasPrefix(got, "anna: has a link that works until ") || !strings.HasSuffix(got, "; cy: yes") {
		t.Errorf("again: %q", got)
	}
	p.succeeds("", "enrollment", "resend", "anna")
	p.succeeds("", "enrollment", "revoke", "cy")
	p.fails(exitFailed, "user cy has no link", "", "enrollment", "revoke", "cy")
	p.fails(exitFailed, "user bo has no link", "", "enrollment", "revoke", "bo")
	p.fails(exitUsage, "--state is open, used", "", "enrollment", "list", "--state", "gone")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "anna open waiting, cy revoked failed, anna replaced failed"},
		{[]string{"--user", "anna"}, "anna open waiting, anna replaced failed"},
		{[]string{"--state", "open"}, "anna open waiting"},
	} {
		var got []string
		for _, r := range read[[]invitationRow](p, "", append([]string{"enrollment", "list"}, tt.args...)...) {
			got = append(got, r.User+" "+r.State+" "+r.Mail)
		}
		if len(got) != strings.Count(tt.want, ",")+1 {
			t.Errorf("list %v: %q, want %q", tt.args, got, tt.want)
		}
		for _, row := range strings.Split(tt.want, ", ") {
			if !strings.Contains(strings.Join(got, ", "), row) {
				t.Errorf("list %v: %q, want %q in it", tt.args, got, row)
			}
		}
	}
	if out := p.succeeds("", "enrollment", "list"); strings.Contains(out, "secret") || !strings.Contains(out, "anna@example.org") {
		t.Errorf("list:\n%s", out)
	}
	for kind, want := range map[audit.Kind]int{audit.EnrollInvited: 3, audit.EnrollInvitationEnded: 2} {
		if got := p.events(kind); len(got) != want {
			t.Errorf("%d events %s, want %d", len(got), kind, want)
		}
	}
}

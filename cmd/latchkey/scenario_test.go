package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/report"
)

// A browser is one without scripts: it follows redirects, keeps cookies, and
// posts forms with the fields that are in them.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	page   string
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar}}
}

func (b *browser) load(res *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.page = res.Request.URL, string(body)
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.load(b.client.Get(address))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)"`)

// post fills in the page's form, names and values in turn.
func (b *browser) post(fields ...string) {
	b.t.Helper()
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(b.page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	b.load(b.client.PostForm(b.at.String(), form))
}

// find returns what a pattern's first group matches on the page.
func (b *browser) find(pattern string) string {
	b.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(b.page)
	if found == nil {
		b.t.Fatalf("no %s on the page at %s:\n%s", pattern, b.at, b.page)
	}
	return html.UnescapeString(found[1])
}

// awaitMailCode waits for a mail in a folder and returns the code of six digits in it.
func awaitMailCode(t *testing.T, folder string) string {
	t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
		if err != nil || len(files) == 0 {
			continue
		}
		text, err := os.ReadFile(files[len(files)-1])
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`Your code is ([0-9]{6})`).FindStringSubmatch(string(text)); found != nil {
			return found[1]
		}
	}
	t.Fatalf("no mail with a code came to %s", folder)
	return ""
}

// The whole way of somebody who lives in a terminal: added by an operator, logs
// in, enrols, approves a push, and cannot log in again by what that used up;
// then the operator revokes the authenticator.
func TestTheWholeWay(t *testing.T) {
	t.Setenv("LATCHKEY_MAIL_FOLDER", "mails")
	t.Setenv("LATCHKEY_MAIL_FROM", "login@example.org")
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	base := startServer(t, p.dir)
	mobile := installation{t, filepath.Join(t.TempDir(), "phone")}
	p.succeeds("correct horse\n", "user", "add", "anna", "--mail", "anna@example.org")

	b := newBrowser(t)
	b.open(base + "/")
	b.post("username", "Anna")
	b.post("password", "correct horse", "do", "continue")
	b.post("do", "continue") // send me the code
	b.post("code", awaitMailCode(t, filepath.Join(p.dir, "mails")), "do", "continue")
	b.post("platform", "linux", "do", "continue")
	code := b.find(`id="short-code"[^>]*>([^<]+)<`)
	account := read[phone.Account](mobile, "", "phone", "activate", "--base", base, "--code", code, "--name", "Terminal")
	if account.State != "active" || account.Push.State != "enabled" || account.User != "anna" {
		t.Fatalf("account: %+v", account)
	}
	b.post("do", "continue") // done; on to the choice
	b.post("method", "push", "do", "continue")
	number := b.find(`class="number"[^>]*>([0-9]+)<`)
	waiting := read[[]phone.Request](mobile, "", "phone", "pending")
	if len(waiting) != 1 || waiting[0].User != "Anna" {
		t.Fatalf("pending: %+v", waiting)
	}
	mobile.fails(exitFailed, "digits", "", "phone", "approve", waiting[0].ID)
	spent := strings.TrimSpace(mobile.succeeds("", "phone", "passcode"))
	if o := read[phone.Outcome](mobile, "", "phone", "approve", waiting[0].ID, "--number", number); o.Outcome != "approved" {
		t.Fatalf("outcome: %+v", o)
	}
	b.post("do", "continue") // I have approved it
	if want := "/t/default/me"; b.at.Path != want {
		t.Fatalf("arrived at %s, want %s:\n%s", b.at, want, b.page)
	}
	b.open(base + "/t/default/me/authenticators")
	if !strings.Contains(b.page, account.Serial) {
		t.Fatalf("no %s on the page:\n%s", account.Serial, b.page)
	}

	pushed := read[[]report.Push](p, "", "report", "push", "--user", "anna", "--outcome", "approved")
	if len(pushed) != 1 || pushed[0].Name != "Anna" || pushed[0].User != "anna" || pushed[0].Serial != account.Serial ||
		pushed[0].Presence != "enter" || pushed[0].Seconds == nil {
		t.Errorf("push history: %+v", pushed)
	}
	told := read[[]report.Activity](p, "", "report", "activity", "--user", "anna")
	if i := slices.IndexFunc(told, func(a report.Activity) bool { return a.Kind == "push.challenge" }); i < 0 ||
		!strings.Contains(told[i].Shown, "presence check enter") {
		t.Errorf("activity: %+v", told)
	}

	// Another browser, and the passcode that the approval used up (CRED-9).
	b = newBrowser(t)
	b.open(base + "/")
	b.post("username", "anna")
	b.post("password", "correct horse", "do", "continue")
	b.post("method", "passcode", "do", "continue")
	b.post("passcode", spent, "do", "continue")
	if !strings.Contains(b.page, "not right") {
		t.Errorf("the passcode spent by the approval was taken again, at %s", b.at)
	}

	listed := read[[]authenticatorRow](p, "", "authenticator", "list", "--user", "anna")
	if len(listed) != 1 || listed[0].Serial != account.Serial || listed[0].State != "active" || listed[0].Users[0] != "anna" {
		t.Errorf("authenticators: %+v", listed)
	}
	if checks := listed[0].presenceChecks(); !strings.Contains(checks, "enter") || listed[0].AppVersion != phone.Version {
		t.Errorf("its app can do %q and is %s", checks, listed[0].AppVersion)
	}
	for _, tt := range []struct{ push, state string }{{"off", "disabled"}, {"on", "enabled"}} {
		if row := read[authenticatorRow](p, "", "authenticator", "set", account.Serial, "--push", tt.push); row.Push != tt.state {
			t.Errorf("switched %s: %s, want %s", tt.push, row.Push, tt.state)
		}
		if accounts := read[[]phone.Account](mobile, "", "phone", "list"); accounts[0].Push.State != tt.state {
			t.Errorf("switched %s: on the phone it is %s, want %s", tt.push, accounts[0].Push.State, tt.state)
		}
	}
	// As an older app it calls once, and is known as that.
	mobile.succeeds("", "phone", "list", "--capabilities", "presence:none,presence:enter", "--app-version", "latchkey-phone/1.0.0")
	kinds := read[[]report.App](p, "", "report", "apps")
	if len(kinds) != 1 || kinds[0].App != "latchkey-phone/1.0.0" || kinds[0].Platform != "linux" || strings.Join(kinds[0].Cannot, " ") != "pick six-digits" {
		t.Errorf("apps: %+v", kinds)
	}
	old := read[[]report.App](p, "", "report", "apps", "--cannot", "pick")
	if len(old) != 1 || old[0].User != "anna" || old[0].Serial != account.Serial || old[0].Least != "1.1.0" {
		t.Errorf("apps that cannot pick: %+v", old)
	}
	if able := read[[]report.App](p, "", "report", "apps", "--cannot", "enter"); len(able) != 0 {
		t.Errorf("apps that cannot enter: %+v", able)
	}
	if events := p.events("authenticator.push"); len(events) < 2 || !strings.Contains(events[0].ActorName, "latchkey authenticator set") {
		t.Errorf("events: %+v", events)
	}
	p.fails(exitFailed, "is not locked", "", "authenticator", "unlock", account.Serial)
	again := read[reactivationRow](p, "", "authenticator", "reactivate", account.Serial)
	next := installation{t, filepath.Join(t.TempDir(), "phone")}
	moved := read[phone.Account](next, "", "phone", "activate", again.Link, "--name", "New terminal")
	if accounts := read[[]phone.Account](mobile, "", "phone", "list"); moved.State != "active" || len(accounts) != 1 || accounts[0].State != "revoked" {
		t.Errorf("moved to %+v; on the old phone: %+v", moved, accounts)
	}
	p.succeeds("", "authenticator", "revoke", moved.Serial, "--reason", "lost")
	if accounts := read[[]phone.Account](next, "", "phone", "list"); len(accounts) != 1 || accounts[0].State == "active" {
		t.Errorf("on the phone, after it was revoked: %+v", accounts)
	}
	events := p.events("authenticator.revoked")
	if len(events) != 2 || events[0].Reason != "lost" || events[1].Reason != "replaced" || events[1].Authenticator != listed[0].ID {
		t.Errorf("events: %+v", events)
	}
	if pushes := p.events("push.success"); len(pushes) != 1 {
		t.Errorf("%d events push.success, want 1", len(pushes))
	}
}

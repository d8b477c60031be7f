package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// rule changes settings of the demo's push policy.
func (d *Demo) rule(document string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "push.json")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.command("policy", "set", "push", "--yes", file)
}

// spacing is what lies between two requests of a user (PUSH-9), and a moment.
const spacing = 15*time.Second + 500*time.Millisecond

// again sends another request from the page on which the last one ended.
func (w *Walk) again() {
	w.Desk.t.Helper()
	time.Sleep(spacing)
	w.Desk.Await("another request to be possible", fmt.Sprintf(`!document.querySelector(%q).disabled`, press("again")))
	w.Desk.Follow(press("again"))
}

// serial is that of the one authenticator the walk's user has.
func (w *Walk) serial() string {
	w.Demo.t.Helper()
	out, err := exec.Command(w.Demo.bin, "authenticator", "list", "--user", w.User.Name, "--json", "--dir", w.Demo.dir).Output()
	var rows []struct{ Serial string }
	if err := errors.Join(err, json.Unmarshal(out, &rows)); err != nil || len(rows) != 1 {
		w.Demo.t.Fatalf("authenticators of %s: %v\n%s", w.User.Name, err, out)
	}
	return rows[0].Serial
}

// Every way in which a push ends without a login, or does not begin, as people
// see it: each in words of its own, in their language, and by itself where
// there are scripts (JRN-11). What the phone decides itself is in
// TestPUSH14_Denied, TestPUSH17_WrongNumber and TestPUSH17_AWrongPick.
func TestJRN11_EveryOutcome(t *testing.T) {
	t.Parallel()
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		outcome string
		look    Look
		rule    string
		act     func(t *testing.T, w *Walk)
		heading string
		says    string // among the rest
	}{
		{"expired", Look{Lang: "es"}, `{"lifetime":30}`, func(t *testing.T, w *Walk) {
			time.Sleep(30 * time.Second)
		}, "push.ended.expired.heading", "push.ended.expired.text"},
		{"superseded in a second tab", Look{Lang: "fr"}, `{}`, func(t *testing.T, w *Walk) {
			second := *w
			second.Desk = w.Desk.Tab()
			second.SignIn()
			time.Sleep(spacing)
			second.SendPush()
		}, "push.ended.superseded.heading", "push.ended.superseded.text"},
		{"another browser's waits", Look{Lang: "de"}, `{}`, func(t *testing.T, w *Walk) {
			stranger := *w
			stranger.Desk = Browse(t, chromium(t), w.Desk.look)
			stranger.SignIn()
			stranger.Desk.See(choose)
			stranger.Desk.Click(`label:has(input[value="push"])`)
			stranger.Desk.Follow(press("continue"))
			if !w.Desk.Has(waiting) {
				t.Error("the first browser's request is gone")
			}
			*w = stranger
		}, "push.ended.elsewhere.heading", "push.ended.elsewhere.text"},
		{"paused", Look{Lang: "ar"}, `{"limit":1}`, func(t *testing.T, w *Walk) {
			w.Phone.Deny("mistake")
			w.again()
		}, "push.ended.locked.heading", "push.until"},
		{"paused, and codes refused", Look{}, `{"limit":1,"codes_allowed":false}`, func(t *testing.T, w *Walk) {
			w.Phone.Deny("mistake")
			w.again()
		}, "refused.push-locked.heading", "refused.until"},
		{"no more in this sign-in", Look{Lang: "de"}, `{"per_journey":1}`, func(t *testing.T, w *Walk) {
			w.Phone.Deny("mistake")
			w.Desk.See(press("passcode"))
			if w.Desk.Has(press("again")) {
				t.Error("offers another")
			}
		}, "push.ended.mistake.heading", "push.last"},
		{"the phone's clock is off", Look{Lang: "ar"}, `{}`, func(t *testing.T, w *Walk) {
			if _, err := evaluate[bool](w.Phone.Browser, `(() => { const right = Date.now; Date.now = () => right() + 180000; return true })()`); err != nil {
				t.Fatal(err)
			}
			w.Phone.EnterNumber(w.Desk.Text(waiting))
		}, "push.ended.resync.heading", "push.ended.resync.text"},
		{"switched off before the claim", Look{NoScript: true}, `{}`, func(t *testing.T, w *Walk) {
			w.Phone.Approve(w.Desk.Text(waiting))
			w.Demo.command("authenticator", "set", w.serial(), "--push", "off")
			w.wake()
		}, "push.ended.no-longer.heading", "push.ended.no-longer.text"},
	} {
		t.Run(tt.outcome, func(t *testing.T) {
			t.Parallel()
			w := NewWalk(t, "oidc", tt.look)
			w.Demo.rule(tt.rule)
			w.SignIn()
			w.Enroll(true)
			w.SendPush()
			tt.act(t, w)
			w.Desk.Await("the end of the push request", "!"+fmt.Sprintf("(%s)", seen(waiting)))
			l := catalog.Negotiate(tt.look.Lang, "", "", "")
			if got, want := w.Desk.Text("h1"), l.T(tt.heading); got != want {
				t.Errorf("the desk says %q, want %q", got, want)
			}
			if got, want := w.Desk.Text("main"), l.T(tt.says); !strings.Contains(got, want) {
				t.Errorf("the desk says %q, want %q in it", got, want)
			}
		})
	}
}

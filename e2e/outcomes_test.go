package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/locales/localestest"
)

// spacing is what lies between two requests of a user (PUSH-9), and a moment.
const spacing = 15*time.Second + 500*time.Millisecond

// again sends another request from the page on which the last one ended.
func (w *Flow) again() {
	w.Desk.t.Helper()
	time.Sleep(spacing)
	w.Desk.Await("another request to be possible", fmt.Sprintf(`!document.querySelector(%q).disabled`, press("again")))
	w.Desk.Follow(press("again"))
}

// Every way in which a push ends without a login, or does not begin, as people
// see it: each in words of its own, in their language, and by itself where
// there are scripts (JRN-11). What the phone decides itself is in
// TestPUSH14_Denied, TestPUSH17_WrongNumber and TestPUSH17_AWrongPick.
func TestJRN11_EveryOutcome(t *testing.T) {
	t.Parallel()
	catalog := localestest.Catalog(t)
	for _, tt := range []struct {
		outcome string
		profile Profile
		rule    string
		act     func(t *testing.T, w *Flow)
		heading string
		says    string // among the rest
	}{
		{"expired", Profile{Lang: "es"}, `{"lifetime":30}`, func(t *testing.T, w *Flow) {
			time.Sleep(30 * time.Second)
		}, "push.ended.expired.heading", "push.ended.expired.text"},
		{"superseded in a second tab", Profile{Lang: "fr"}, `{}`, func(t *testing.T, w *Flow) {
			second := *w
			second.Desk = w.Desk.Tab()
			second.SignIn()
			time.Sleep(spacing)
			second.SendPush()
		}, "push.ended.superseded.heading", "push.ended.superseded.text"},
		{"another browser's waits", Profile{Lang: "de"}, `{}`, func(t *testing.T, w *Flow) {
			other := *w
			other.Desk = Browse(t, chromium(t), w.Desk.profile)
			other.SignIn()
			other.Desk.See(choose)
			other.Desk.Follow(way("push"))
			if !w.Desk.Has(waiting) {
				t.Error("the first browser's request is gone")
			}
			*w = other
		}, "push.ended.elsewhere.heading", "push.ended.elsewhere.text"},
		{"paused", Profile{Lang: "ar"}, `{"limit":1}`, func(t *testing.T, w *Flow) {
			w.Phone.Deny("mistake")
			w.again()
		}, "push.ended.locked.heading", "push.until"},
		{"paused, and codes refused", Profile{}, `{"limit":1,"codes_allowed":false}`, func(t *testing.T, w *Flow) {
			w.Phone.Deny("mistake")
			w.again()
		}, "refused.push-locked.heading", "refused.until"},
		{"no more in this sign-in", Profile{Lang: "de"}, `{"per_journey":1}`, func(t *testing.T, w *Flow) {
			w.Phone.Deny("mistake")
			w.Desk.See(`button[name="method"][value="passcode"]`)
			if w.Desk.Has(press("again")) {
				t.Error("offers another")
			}
		}, "push.ended.mistake.heading", "push.last"},
		{"the phone's clock is off", Profile{Lang: "ar"}, `{}`, func(t *testing.T, w *Flow) {
			if _, err := evaluate[bool](w.Phone.Browser, `(() => { const right = Date.now; Date.now = () => right() + 180000; return true })()`); err != nil {
				t.Fatal(err)
			}
			w.Phone.EnterNumber(w.Desk.Text(waiting))
		}, "passcode.resync.heading", "passcode.resync.text"},
		{"switched off before the claim", Profile{NoScript: true}, `{}`, func(t *testing.T, w *Flow) {
			w.Phone.Approve(w.Desk.Text(waiting))
			w.Demo.run(nil, "", "authenticator", "set", w.Demo.serial(w.User.Name), "--push", "off")
			w.continueWithoutScripts()
		}, "push.ended.no-longer.heading", "push.ended.no-longer.text"},
	} {
		t.Run(tt.outcome, func(t *testing.T) {
			t.Parallel()
			w := NewFlow(t, "oidc", tt.profile)
			w.Demo.setPolicy("push", tt.rule, "--yes")
			w.SignIn()
			w.Enroll(true)
			w.SendPush()
			tt.act(t, w)
			w.Desk.Await("the end of the push request", "!"+fmt.Sprintf("(%s)", seen(waiting)))
			l := catalog.Negotiate(tt.profile.Lang, "", "", "")
			if got, want := w.Desk.Text("h1"), l.T(tt.heading); got != want {
				t.Errorf("the desk says %q, want %q", got, want)
			}
			if got, want := w.Desk.Text("main"), l.T(tt.says); !strings.Contains(got, want) {
				t.Errorf("the desk says %q, want %q in it", got, want)
			}
		})
	}
}

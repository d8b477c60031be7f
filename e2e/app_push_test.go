package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A pushMessage is a push as the server sends it, or as somebody else might.
type pushMessage struct {
	title, kind, authenticator, request string
	plain                               bool
}

func (p pushMessage) String() string {
	data, err := json.Marshal(map[string]any{
		"web_push": 8030, "app_badge": 1,
		"notification": map[string]any{"title": p.title, "body": "Example Hospital, user Anna.Berg.", "lang": "en", "dir": "ltr",
			"navigate": "https://evil.example/", "tag": "push"},
		"latchkey": map[string]any{"kind": p.kind, "authenticator": p.authenticator, "request": p.request, "plain": p.plain},
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// enrolledWithNotifications is a browser with an account that shows notifications.
// It is not a private window, where Chromium shows none.
func (h *appServer) enrolledWithNotifications(t *testing.T) (b *Browser, authenticator string) {
	t.Helper()
	b = open(t, startChromium(t), Profile{Width: 390})
	b.permit("notifications", browser.PermissionSettingGranted)
	h.enrolled(t, b, nil)
	b.awaitWorker()
	b.do("to the front", send(page.BringToFront, cdp.Empty{}))
	return b, b.Attribute(`.account`, "data-authenticator")
}

// Attack list 23: every push shows a notification, be it malformed, for nobody
// here, or for an account that was removed, and then none of its words; what it
// says is text.
func TestPUSH25_EveryPushIsShownAndNoneIsBelieved(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b, id := h.enrolledWithNotifications(t)
	const markup = `<img src=x onerror=alert(1)>"><script>alert(2)</script>`
	ours := "Open the authenticator to see whether a sign-in waits for your answer."
	for _, tt := range []struct {
		name, data  string
		title, body string
	}{
		{"a request", pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: "psh_x"}.String(), "Signing in to Payroll?", "Example Hospital"},
		{"markup", pushMessage{title: markup, kind: "request", authenticator: id}.String(), markup, "Example Hospital"},
		{"nothing", "", "Authenticator", ours},
		{"no JSON", "\x00{", "Authenticator", ours},
		{"another JSON", `[1, null]`, "Authenticator", ours},
		{"null", `null`, "Authenticator", ours},
		{"no title", pushMessage{kind: "request", authenticator: id}.String(), "Authenticator", ours},
		{"a title that is no text", `{"notification": {"title": {"a": 1}}, "latchkey": {"kind": "request", "authenticator": "` + id + `"}}`, "Authenticator", ours},
		{"an unknown kind", pushMessage{title: "x", kind: "wipe", authenticator: id}.String(), "Authenticator", ours},
		{"another's", pushMessage{title: "Click me", kind: "request", authenticator: "aut_bbbbbbbbbbbbbbbbbbbbbbbbbb"}.String(), "Authenticator", ours},
	} {
		b.dismiss()
		got := b.deliverUntilShown(h.base, tt.data, 1)[0]
		if got.Title != tt.title || !strings.Contains(got.Body, tt.body) {
			t.Errorf("%s: %+v, want %q, %q", tt.name, got, tt.title, tt.body)
		}
		if len(got.Actions) > 0 {
			t.Errorf("%s: has buttons %v", tt.name, got.Actions)
		}
	}
	// A newer one takes an older one's place, of one account.
	b.dismiss()
	b.deliverUntilShown(h.base, pushMessage{title: "One", kind: "request", authenticator: id}.String(), 1)
	b.deliver(h.base, pushMessage{title: "Two", kind: "ended", authenticator: id}.String())
	b.eventually("the newer one", `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.length === 1 && all[0].title === "Two")`)

	// The person removes the account here: what still comes is shown, and says nothing.
	b.dismiss()
	for _, button := range []string{`.account .top button`, `#sheet > button.quiet`, `#sheet .danger`} {
		b.See(button)
		if _, err := evaluate[any](b, fmt.Sprintf(`document.querySelector(%q).click()`, button)); err != nil {
			t.Fatal(err)
		}
	}
	b.See(`main details`)
	if got := b.deliverUntilShown(h.base, pushMessage{title: "Signing in?", kind: "request", authenticator: id}.String(), 1)[0]; got.Title != "Authenticator" || got.Body != ours {
		t.Errorf("after removal: %+v", got)
	}
}

// dismiss takes all notifications away.
func (b *Browser) dismiss() {
	b.t.Helper()
	if _, err := evaluate[int](b, `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.map((n) => n.close()).length)`); err != nil {
		b.t.Fatal(err)
	}
	b.notifications(0)
}

// An account that a PIN guards has no buttons, whatever the push says, and is not
// approved from a notification that another version showed with some. With unasked
// taken out of show, and then of approve, it failed.
func TestPUSH13_NoButtonsWhereAPINIsAsked(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b, id := h.enrolledWithNotifications(t)
	_, err := evaluate[bool](b, `new Promise((resolve) => { indexedDB.open("latchkey-authenticator").onsuccess = ({ target }) => {
		const store = target.result.transaction("accounts", "readwrite").objectStore("accounts")
		store.getAll().onsuccess = ({ target: { result: [account] } }) => {
			const { seed, ...rest } = account
			store.put({ ...rest, wrapped: seed }).onsuccess = () => resolve(true)
		}
	} })`)
	if err != nil {
		t.Fatal(err)
	}
	request := h.ask(t, policy.NoPresence)
	asked := pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: request, plain: true}
	b.dismiss()
	if got := b.deliverUntilShown(h.base, asked.String(), 1)[0]; len(got.Actions) > 0 {
		t.Errorf("buttons %v, want none", got.Actions)
	}
	b.pressNotification("approve")
	if got := h.outcome(t, request); got != "" {
		t.Errorf("outcome %q, want none", got)
	}
}

// pressNotification presses a notification's button: the browser has no hand for it, so the
// event it would send is sent in the worker, with the notification that is shown.
// It returns the titles of what is shown once that was worked off.
func (b *Browser) pressNotification(action string) (left string) {
	b.t.Helper()
	return inWorker[string](b, fmt.Sprintf(`self.registration.getNotifications().then(([notification]) => new Promise((resolve) => {
		const event = new NotificationEvent("notificationclick", { notification, action: %q })
		const titles = () => self.registration.getNotifications().then((all) => resolve(all.map(({ title }) => title).join()))
		event.waitUntil = (work) => work.then(titles, titles)
		self.dispatchEvent(event)
	}))`, action))
}

// An approval from the notification: by a press, of the request the server has,
// where nothing else is asked for. Whatever the push claims, a request with a
// presence check, another one, or one for another application is not approved
// by it. Each guard of approve was taken out, and its row failed.
func TestPUSH13_ApprovedInTheNotification(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b, id := h.enrolledWithNotifications(t)
	for _, tt := range []struct {
		name     string
		presence policy.Presence
		push     func(request string) pushMessage
		action   string
		want     store.PushOutcome
	}{
		{"plain", policy.NoPresence, func(r string) pushMessage {
			return pushMessage{title: "Signing in to \u2068Payroll\u2069?", kind: "request", authenticator: id, request: r, plain: true}
		}, "approve", store.PushApproved},
		{"a tap opens the app", policy.NoPresence, func(r string) pushMessage {
			return pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: r, plain: true}
		}, "", ""},
		{"deny has two ways", policy.NoPresence, func(r string) pushMessage {
			return pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: r, plain: true}
		}, "deny", ""},
		{"a number is asked", policy.Enter, func(r string) pushMessage {
			return pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: r, plain: true}
		}, "approve", ""},
		{"another request", policy.NoPresence, func(string) pushMessage {
			return pushMessage{title: "Signing in to Payroll?", kind: "request", authenticator: id, request: "psh_bbbbbbbbbbbbbbbbbbbbbbbbbb", plain: true}
		}, "approve", ""},
		{"another application was read", policy.NoPresence, func(r string) pushMessage {
			return pushMessage{title: "Signing in to Wiki?", kind: "request", authenticator: id, request: r, plain: true}
		}, "approve", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.dismiss()
			request := h.ask(t, tt.presence)
			if got := b.deliverUntilShown(h.base, tt.push(request).String(), 1)[0]; len(got.Actions) != 2 {
				t.Errorf("buttons %v, want two", got.Actions)
			}
			wantLeft := ""
			if tt.want != "" {
				wantLeft = "Approved"
			}
			if left := b.pressNotification(tt.action); left != wantLeft {
				t.Errorf("%q is left on the screen, want %q", left, wantLeft)
			}
			if tt.want == "" {
				b.See(`#sheet form .pair`) // the request, in the app
			}
			if got := h.outcome(t, request); got != tt.want {
				t.Errorf("outcome %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				h.tx(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, h.user.Tenant, request) })
			}
			b.See(`#sheet > button`)
			b.Click(`#sheet > button`)
		})
	}
}

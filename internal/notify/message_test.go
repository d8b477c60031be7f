package notify

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// A notification is in the user's language. No name in it reorders the text around
// it, starts a new line or contains invisible characters (attack 19).
func TestPUSH12_PUSH24_LanguagesAndNames(t *testing.T) {
	for language, want := range map[string]struct{ lang, dir, title string }{
		"":      {"en", "ltr", "Signing in to \u2068Payroll\u2069?"},
		"de":    {"de", "ltr", "Anmeldung bei \u2068Payroll\u2069?"},
		"ar":    {"ar", "rtl", "تسجيل دخول إلى \u2068Payroll\u2069؟"},
		"xx-YY": {"en", "ltr", "Signing in to \u2068Payroll\u2069?"},
	} {
		h := onSQLite(t)
		h.subscribedAuthenticator(t, "phone")
		h.Do(t, func(tx *store.Tx) error { return tx.Users().SetLanguage(t.Context(), h.Tenant.ID, h.User.ID, language) })
		j := h.Journey(t, "browser")
		j.Name = "anna\u202e\n<b>berg"
		h.Do(t, func(tx *store.Tx) error {
			_, err := push.Start(t.Context(), tx, j, push.Display{Application: "Pay\u202eroll\r\n"}, policy.Enter, policy.DefaultPush())
			return err
		})
		h.flush(t)
		got := h.service.deliveries()
		if len(got) != 1 {
			t.Fatalf("%s: %d deliveries", language, len(got))
		}
		n := got[0].sent.Notification
		if n.Lang != want.lang || n.Dir != want.dir || n.Title != want.title {
			t.Errorf("%s: %+v, want %+v", language, n, want)
		}
		if strings.ContainsAny(n.Title+n.Body, "\u202e\n\r") || !strings.Contains(n.Body, "\u2068anna<b>berg\u2069") {
			t.Errorf("%s: body %q", language, n.Body)
		}
	}
}

// A message equals the example on the protocol's page, field by field.
func TestPUSH24_TheProtocolsExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "```json example=notification\n")
	if !found {
		t.Fatal("the page has no example of a notification")
	}
	example, _, _ := strings.Cut(after, "\n```")
	var shown, sent any
	if err := json.Unmarshal([]byte(example), &shown); err != nil {
		t.Fatal(err)
	}
	h := onSQLite(t)
	expires := time.Unix(1794990060, 0)
	raw, err := h.notifier.requestMessage(t.Context(), store.NotifyRequest, store.PushRequest{Tenant: h.Tenant.ID, User: h.User.ID, ID: "psh_bbbbbbbbbbbbbbbbbbbbbbbbbb",
		Application: "Payroll", Name: "anna.berg", Presence: policy.Enter, ExpiresAt: expires}, identity.Authenticator{ID: "aut_aaaaaaaaaaaaaaaaaaaaaaaaaa", Template: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(sent, shown) {
		t.Errorf("we send %s, the page shows %s", raw, example)
	}
}

// Names of maximum length fit into one record.
func TestPUSH24_TheLongestNamesFit(t *testing.T) {
	h := onSQLite(t)
	h.subscribedAuthenticator(t, "phone")
	j := h.Journey(t, "browser")
	j.Name = strings.Repeat(`"`, identity.MaxName)
	h.Do(t, func(tx *store.Tx) error {
		_, err := push.Start(t.Context(), tx, j, push.Display{Application: strings.Repeat(`\`, 4*identity.MaxName)}, policy.Enter, policy.DefaultPush())
		return err
	})
	h.flush(t)
	if got := h.service.deliveries(); len(got) != 1 || len(got[0].raw) > webpush.MaxMessage {
		t.Errorf("%d deliveries", len(got))
	}
}

// A notification may be approved directly only if nothing is asked: no presence
// check and no PIN.
func TestPUSH25_WhoMayApproveFromTheNotification(t *testing.T) {
	for _, tt := range []struct {
		presence policy.Presence
		template string
		want     bool
	}{
		{policy.NoPresence, `{"pin":"none"}`, true},
		{policy.NoPresence, `{}`, true},
		{policy.Enter, `{"pin":"none"}`, false},
		{policy.NoPresence, `{"pin":"user"}`, false},
		{policy.NoPresence, `{"pin":"server"}`, false},
		{policy.NoPresence, `{"pin":7}`, false},
		{policy.NoPresence, `garbage`, false},
	} {
		h := onSQLite(t)
		p := h.request(t, tt.presence)
		raw, err := h.notifier.requestMessage(t.Context(), store.NotifyRequest, p, identity.Authenticator{ID: "aut_x", Template: []byte(tt.template)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(raw), `"plain":true`); got != tt.want {
			t.Errorf("%s with %s: plain %v, want %v", tt.presence, tt.template, got, tt.want)
		}
	}
}

// No notification is sent for a request that has ended or can no longer be answered
// on a phone, although one was due when it began.
func TestPUSH24_LooksAgainBeforeItRings(t *testing.T) {
	for name, change := range map[string]func(h *fixture, a identity.Authenticator, p store.PushRequest, tx *store.Tx) error{
		"answered": func(h *fixture, a identity.Authenticator, p store.PushRequest, tx *store.Tx) error {
			_, err := tx.Push().End(t.Context(), p.Tenant, p.ID, store.PushNotMe, "")
			return err
		},
		"expired": func(h *fixture, _ identity.Authenticator, _ store.PushRequest, _ *store.Tx) error {
			h.Clock.Advance(time.Minute)
			return nil
		},
		"user disabled": func(h *fixture, _ identity.Authenticator, p store.PushRequest, tx *store.Tx) error {
			_, err := tx.Users().RevokeAllAccess(t.Context(), p.Tenant, p.User)
			return err
		},
		"authenticator revoked": func(_ *fixture, a identity.Authenticator, _ store.PushRequest, tx *store.Tx) error {
			_, err := tx.Authenticators().Revoke(t.Context(), a.Tenant, a.ID)
			return err
		},
		"authenticator suspended": func(_ *fixture, a identity.Authenticator, _ store.PushRequest, tx *store.Tx) error {
			_, err := tx.Authenticators().Suspend(t.Context(), a.Tenant, a.ID)
			return err
		},
		"push switched off": func(_ *fixture, a identity.Authenticator, _ store.PushRequest, tx *store.Tx) error {
			_, err := tx.Authenticators().SetPush(t.Context(), a.Tenant, a.ID, false)
			return err
		},
		"an app that cannot do the check": func(_ *fixture, a identity.Authenticator, _ store.PushRequest, tx *store.Tx) error {
			return tx.Authenticators().SetApp(t.Context(), a.Tenant, a.ID, "latchkey-web/1.0.0", []string{"presence:none"})
		},
		"unsubscribed": func(_ *fixture, a identity.Authenticator, _ store.PushRequest, tx *store.Tx) error {
			return Unsubscribe(t.Context(), tx, a)
		},
	} {
		h := onSQLite(t)
		a, _ := h.subscribedAuthenticator(t, "phone")
		p := h.request(t, policy.Enter)
		h.Do(t, func(tx *store.Tx) error { return change(h, a, p, tx) })
		h.flush(t)
		if n := h.service.called(); n != 0 {
			t.Errorf("%s: notified", name)
		}
		if n := h.flush(t); n != 0 {
			t.Errorf("%s: taken up again", name)
		}
	}
}

// If an operator has disabled notifications, none is sent, even for existing
// subscriptions.
func TestPUSH27_SwitchedOff(t *testing.T) {
	h := onSQLite(t)
	h.subscribedAuthenticator(t, "phone")
	h.request(t, policy.Enter)
	h.notifier.Disabled = true
	h.flush(t)
	if n := h.service.called(); n != 0 || h.flush(t) != 0 {
		t.Errorf("%d calls, want none, and nothing taken up again", n)
	}
}

// The notification of a newer request replaces that of an older one, at the push
// service and on the screen.
func TestPUSH10_PUSH24_ANewerTakesTheOldersPlace(t *testing.T) {
	h := onSQLite(t)
	_, first := h.subscribedAuthenticator(t, "phone")
	h.subscribedAuthenticator(t, "desk")
	h.request(t, policy.Enter)
	h.flush(t)
	h.Clock.Advance(15 * time.Second)
	newer := h.request(t, policy.Enter)
	h.flush(t)
	topics, tags := make(map[string]int), make(map[string]int)
	for _, d := range h.service.deliveries() {
		if d.browser == first {
			topics[d.topic]++
			tags[d.sent.Notification.Tag]++
		} else if topics[d.topic] > 0 {
			t.Error("two browsers have one topic")
		}
		if strings.Contains(d.topic, newer.User[4:]) || strings.Contains(d.topic, d.sent.Latchkey.Authenticator[4:]) {
			t.Errorf("topic %q names somebody to the push service", d.topic)
		}
	}
	if len(topics) != 1 || len(tags) != 1 {
		t.Errorf("topics %v, tags %v, want one each", topics, tags)
	}
}

// A token is reused for an hour and valid for less than a day. Apple refuses senders
// that make more.
func TestPUSH24_OneTokenAnHour(t *testing.T) {
	h := onSQLite(t)
	a, _ := h.subscribedAuthenticator(t, "phone")
	for minute := range 121 {
		if minute%10 == 0 {
			if why, _, err := h.notifier.SendTest(t.Context(), a, h.User.ID); err != nil || why != "" {
				t.Fatalf("minute %d: %q, %v", minute, why, err)
			}
		}
		h.Clock.Advance(time.Minute)
	}
	if n := len(h.service.tokens); n != 3 {
		t.Errorf("%d tokens in two hours, want 3", n)
	}
	for i := range 2 * maxTokens {
		if _, err := h.notifier.authorization(t.Context(), "https://h"+strings.Repeat("x", i)+".push.apple.com"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.notifier.tokens.by); n > maxTokens {
		t.Errorf("%d tokens are kept, want %d at most", n, maxTokens)
	}
}

// A test notification is sent and replaces no notification of a request.
func TestPUSH24_ATestRings(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		a, b := h.subscribedAuthenticator(t, "phone")
		h.request(t, policy.Enter)
		h.flush(t)
		topic := h.service.deliveries()[0].topic
		why, expires, err := h.notifier.SendTest(t.Context(), a, h.User.ID)
		if err != nil || why != "" || !expires.Equal(h.Clock.Now().Add(time.Minute)) {
			t.Fatalf("%q until %v, %v", why, expires, err)
		}
		got := h.service.deliveries()
		if len(got) != 1 || got[0].browser != b || got[0].topic == topic || got[0].ttl != 60 {
			t.Fatalf("deliveries %+v", got)
		}
		want := workerData{Kind: "test", Authenticator: a.ID, Expires: expires.Unix()}
		if got[0].sent.Latchkey != want || got[0].sent.Notification.Title != "Notifications work" {
			t.Errorf("%s", got[0].raw)
		}
		h.service.answer(status(410))
		if why, _, err := h.notifier.SendTest(t.Context(), a, h.User.ID); err != nil || why != Gone {
			t.Errorf("gone: %q, %v", why, err)
		}
		if why, _, err := h.notifier.SendTest(t.Context(), a, h.User.ID); err != nil || why != None {
			t.Errorf("afterwards: %q, %v", why, err)
		}
	})
}

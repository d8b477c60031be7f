package appapi

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// example returns an example of the protocol's page.
func example(t *testing.T, name string) fields {
	t.Helper()
	page, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```json example=" + name + "\n(.*?)\n```").FindSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no example %s", name)
	}
	var v fields
	if err := json.Unmarshal(found[1], &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// subscription is the page's, at another endpoint.
func subscription(t *testing.T, endpoint string) fields {
	t.Helper()
	s := example(t, "subscribe-body")
	s["endpoint"] = endpoint
	return s
}

// web is how Web Push stands, as status has it.
func (a *app) web(t *testing.T) fields {
	t.Helper()
	return a.must(t, "status", nil)["push"].(fields)["web"].(fields)
}

// The calls of the protocol's page, as they stand there.
func TestPUSH24_SubscribeAndUnsubscribe(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		key, err := base64.RawURLEncoding.DecodeString(a.web(t)["key"].(string))
		if err != nil || len(key) != 65 || key[0] != 4 || a.web(t)["subscribed"] != false {
			t.Errorf("before: %v", a.web(t))
		}
		body := example(t, "subscribe-body")
		if got := a.must(t, "subscribe", body)["push"].(fields)["web"].(fields); got["subscribed"] != true || got["failed"] != nil {
			t.Errorf("subscribed: %v", got)
		}
		a.must(t, "subscribe", body) // as at every start of the app: nothing changes, and nothing is told
		h.Clock.Advance(time.Second)
		body["expirationTime"] = nil // a browser's toJSON has it
		body["endpoint"] = "https://web.push.apple.com/QExample"
		a.must(t, "subscribe", body)
		s, err := h.DB.Subscriptions().Get(t.Context(), h.Tenant.ID, a.id)
		if err != nil || s.Host != "web.push.apple.com" {
			t.Errorf("another took its place: host %q, %v", s.Host, err)
		}
		h.Clock.Advance(time.Second)
		a.must(t, "unsubscribe", fields{})
		if a.must(t, "unsubscribe", fields{}); a.web(t)["subscribed"] != false {
			t.Errorf("after: %v", a.web(t))
		}
		var told []string
		for _, e := range h.Events(t, h.Tenant.ID, audit.AuthenticatorPush) {
			if e.Authenticator == a.id && strings.HasSuffix(e.Reason, "subscribed") {
				told = append(told, e.Reason)
			}
		}
		if want := []string{"unsubscribed", "subscribed", "subscribed"}; !reflect.DeepEqual(told, want) {
			t.Errorf("events %v, want %v", told, want)
		}
	})
}

// What status and test answer has the fields that the page shows.
func TestPUSH24_TheProtocolsExamples(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	a.must(t, "subscribe", example(t, "subscribe-body"))
	shown, web := example(t, "status")["push"].(fields)["web"].(fields), a.web(t)
	if !slices.Equal(slices.Sorted(maps.Keys(web)), slices.Sorted(maps.Keys(shown))) || len(web["key"].(string)) != len(shown["key"].(string)) {
		t.Errorf("status says %v, the page shows %v", web, shown)
	}
	raw, err := json.Marshal(tried{Sent: true, Expires: 1794990060})
	if err != nil {
		t.Fatal(err)
	}
	var said fields
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatal(err)
	}
	if want := example(t, "test"); !reflect.DeepEqual(said, want) {
		t.Errorf("test says %v, the page shows %v", said, want)
	}
}

// A subscription ends with its authenticator.
func TestPUSH24_RevocationEndsASubscription(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		a.must(t, "subscribe", example(t, "subscribe-body"))
		a.must(t, "remove", fields{})
		if a.web(t)["subscribed"] != false {
			t.Errorf("status %v, want no subscription", a.web(t))
		}
		for _, name := range []string{"subscribe", "unsubscribe", "test"} {
			if r := a.call(t, name, example(t, "subscribe-body")); r.status != http.StatusForbidden || r.code() != "state" {
				t.Errorf("%s: %d %q, want 403 state", name, r.status, r.code())
			}
		}
	})
}

// Where an operator lets no push service be called, no app is asked to subscribe
// at one, and none can.
func TestPUSH27_SwitchedOff(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	h.api.notifier.Disabled, h.api.notifier.Services = true, nil
	if web, there := a.must(t, "status", nil)["push"].(fields)["web"]; there {
		t.Errorf("status has %v", web)
	}
	if r := a.call(t, "subscribe", example(t, "subscribe-body")); r.code() != "endpoint" {
		t.Errorf("subscribe: %d %q, want endpoint", r.status, r.code())
	}
}

// What a other would have us call (attack 18). Without Services.Origin in
// webpush.Parse each of them is taken.
func TestQLT5_PUSH24_EndpointsThatAreRefused(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	const good = "https://fcm.googleapis.com/fcm/send/x"
	for _, endpoint := range []string{"x", "//fcm.googleapis.com/x", "http://fcm.googleapis.com/x", "https://", "https:///x", "ftp://fcm.googleapis.com/",
		"https://fcm.googleapis.com.example.org/x", "https://xfcm.googleapis.com/", "https://fcm.googleapis.com@example.org/", "https://user@fcm.googleapis.com/x",
		"https://fcm.googleapis.com:8443/x", "https://fcm.googleapis.com./x", "https://fcm.googleapis.com/x#y", "https://example.org/fcm.googleapis.com",
		"https://push.apple.com/x", "https://.push.apple.com/x", "https://evilpush.apple.com/x", "https://127.0.0.1/x", "https://[::1]/x", "https://localhost/x",
		"https://127.0.0.1:2/x", "https://169.254.169.254/latest/meta-data/", "https://fcm.googleapis.com\\@example.org/", "https://fcm.googleapis.com%2eexample.org/",
		"https:fcm.googleapis.com/x", "https://fcm.googleapis.com/\r\nHost: x", "https://fcm。googleapis。com/x", good + strings.Repeat("x", 2048)} {
		if r := a.call(t, "subscribe", subscription(t, endpoint)); r.status != http.StatusBadRequest || r.code() != "endpoint" {
			t.Errorf("%.80q: %d %q, want 400 endpoint", endpoint, r.status, r.code())
		}
	}
	keys := func(p256dh, auth any) fields {
		s := subscription(t, good)
		s["keys"] = fields{"p256dh": p256dh, "auth": auth}
		return s
	}
	page := example(t, "subscribe-body")["keys"].(fields)
	point, auth := page["p256dh"].(string), page["auth"].(string)
	for name, body := range map[string]fields{
		"no keys":               {"endpoint": good},
		"no point":              keys("", auth),
		"a point off the curve": keys("B"+strings.Repeat("A", 86), auth),
		"the point at infinity": keys("AA", auth),
		"half a point":          keys("AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx", auth),
		"padded":                keys(point+"=", auth),
		"standard base64":       keys(strings.NewReplacer("-", "+", "_", "/").Replace(point), auth),
		"a short secret":        keys(point, auth[:21]),
		"a long secret":         keys(point, auth+"AA"),
		"a number":              keys(point, 16),
	} {
		if r := a.call(t, "subscribe", body); r.status != http.StatusBadRequest || r.code() != "malformed" {
			t.Errorf("%s: %d %q, want 400 malformed", name, r.status, r.code())
		}
	}
	large := subscription(t, good)
	large["more"] = strings.Repeat("x", 1<<20)
	if r := a.call(t, "subscribe", large); r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("1 MB: %d %q, want 413", r.status, r.code())
	}
	if a.web(t)["subscribed"] != false {
		t.Errorf("status %v", a.web(t))
	}
}

// Who subscribes over and over, at a push service that says it is gone each
// time, is told to wait. Without the rate it goes on for ever.
func TestPUSH24_SubscribingIsBounded(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	for range subscribing.Max {
		a.must(t, "subscribe", example(t, "subscribe-body"))
	}
	if r := a.call(t, "subscribe", example(t, "subscribe-body")); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("%d %q, Retry-After %q, want 429", r.status, r.code(), r.header.Get("Retry-After"))
	}
	h.Clock.Advance(time.Hour)
	a.must(t, "subscribe", example(t, "subscribe-body"))
}

// A test says what is wrong, in the reader's words, and so does status from
// then on.
func TestPUSH24_ATestSaysWhatIsWrong(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	if got := a.must(t, "test", fields{}); got["sent"] != false || got["failed"] != "Notifications are not switched on here." {
		t.Errorf("without a subscription: %v", got)
	}
	a.must(t, "subscribe", subscription(t, "https://"+inside+"/capability"))
	const refused = "The browser’s push service refused the notification. Tell your help desk."
	if got := a.must(t, "test", fields{}); got["sent"] != false || got["failed"] != refused || int64(got["expires"].(float64)) != h.Clock.Now().Add(time.Minute).Unix() {
		t.Errorf("at a service in our own network: %v", got)
	}
	if got := a.web(t); got["subscribed"] != true || got["failed"] != refused {
		t.Errorf("status: %v", got)
	}
	a.must(t, "subscribe", subscription(t, "https://"+inside+"/capability"))
	if got := a.web(t); got["failed"] != nil {
		t.Errorf("after subscribing anew: %v", got)
	}
	for range trying.Max - 2 {
		a.must(t, "test", fields{})
	}
	if r := a.call(t, "test", fields{}); r.status != http.StatusTooManyRequests {
		t.Errorf("%d %q, want 429", r.status, r.code())
	}
}

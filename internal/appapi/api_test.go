package appapi

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Whatever is sent, an app is told what is wrong, and it is never our fault.
func TestAPI_GarbageIsAClearError(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	bodies := []string{"", "null", "[]", `"x"`, "1", "{", "{}{}", `{"push":true,"push":false}`, "{\"name\":\"\xff\"}", strings.Repeat("[", 60_000), `{"x":` + strings.Repeat(`{"x":`, 10_000)}
	for name, more := range map[string][]string{
		"activate":    {`{}`, `{"secret":"a","short_code":"b"}`, `{"secret":1}`, `{"secret":"x","platform":"amiga"}`},
		"finish":      {`{}`, `{"push":null}`},
		"settings":    {`{"push":1}`, `{"name":"` + strings.Repeat("x", 65) + `"}`},
		"remove":      {},
		"subscribe":   {`{}`, `{"endpoint":1}`, `{"keys":[]}`, `{"endpoint":"https://fcm.googleapis.com/x"}`},
		"unsubscribe": {},
		"test":        {},
		"answer": {`{}`, `{"request":"psh_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`, `{"request":"x","nonce":"y","decision":"approve"}`,
			`{"request":"psh_aaaaaaaaaaaaaaaaaaaaaaaaaa","nonce":"y","decision":"perhaps"}`},
	} {
		for _, body := range append(bodies, more...) {
			s := a.signing(name, body)
			if r := h.send(t, s.method, name, a.sign(s), s.body); r.status != http.StatusBadRequest || r.code() != "malformed" {
				t.Errorf("%s %.40q: got %d %q, want 400 malformed", name, body, r.status, r.code())
			}
		}
	}
	if got := a.must(t, "status", nil)["state"]; got != "active" {
		t.Errorf("state %v, want active", got)
	}
}

func TestAPI_Bounds(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	for _, tt := range []struct {
		name, method, path string
		body               []byte
		status             int
		code               string
	}{
		{"too large", "POST", "settings", bytes.Repeat([]byte(" "), maxBody+1), http.StatusRequestEntityTooLarge, "too-large"},
		{"another method", "GET", "settings", nil, http.StatusMethodNotAllowed, "method"},
		{"another method", "POST", "pending", nil, http.StatusMethodNotAllowed, "method"},
		{"no call", "GET", "offline", nil, http.StatusNotFound, "call"},
		{"no call", "GET", "", nil, http.StatusNotFound, "call"},
		{"below a call", "GET", "status/x", nil, http.StatusNotFound, "call"},
		{"a query", "GET", "status?x=y", nil, http.StatusBadRequest, "malformed"},
	} {
		s := a.signing("settings", fields{})
		if r := h.send(t, tt.method, tt.path, a.sign(s), tt.body); r.status != tt.status || r.code() != tt.code {
			t.Errorf("%s: %s %s: got %d %q, want %d %q", tt.name, tt.method, tt.path, r.status, r.code(), tt.status, tt.code)
		}
	}
}

// The message is for the person, in the person's language.
func TestAPI_SaysItInTheReadersLanguage(t *testing.T) {
	h := onSQLite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+Path+"status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Language", "de-AT,de;q=0.9")
	res, err := h.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	body.ReadFrom(res.Body)
	if res.Header.Get("Content-Language") != "de" || !strings.Contains(body.String(), "aktualisieren") {
		t.Errorf("Content-Language %q, body %s", res.Header.Get("Content-Language"), &body)
	}
}

// What an app may do in each state, and what it is told.
func TestAPI_StatesOfAnAuthenticator(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		if r := a.call(t, "settings", fields{"name": "Anna's phone"}); r.body["name"] != "Anna's phone" {
			t.Errorf("settings: %d %v", r.status, r.body)
		}
		a.must(t, "remove", fields{})
		if got := a.must(t, "remove", fields{})["state"]; got != "revoked" {
			t.Errorf("state %v, want revoked", got)
		}
		for name, body := range map[string]any{"settings": fields{"push": true}, "pending": nil, "stream": nil,
			"answer": fields{"request": "psh_aaaaaaaaaaaaaaaaaaaaaaaaaa", "nonce": "x", "decision": "deny-mistake"}} {
			if r := a.call(t, name, body); r.status != http.StatusForbidden || r.code() != "state" || r.body["state"] != "revoked" {
				t.Errorf("%s: got %d %v, want 403 state revoked", name, r.status, r.body)
			}
		}
		if r := a.call(t, "finish", fields{"push": true}); r.status != http.StatusGone {
			t.Errorf("finish: got %d %q, want 410", r.status, r.code())
		}
	})
}

// A pending authenticator makes no passcodes and answers no pushes.
func TestAPI_PendingIsNotActive(t *testing.T) {
	h := onSQLite(t)
	_, shown := h.Issued(t, h.User)
	a := h.newApp(t)
	a.id = a.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
	for name, body := range map[string]any{"settings": fields{"push": true}, "pending": nil} {
		if r := a.call(t, name, body); r.code() != "state" || r.body["state"] != "pending" {
			t.Errorf("%s: got %d %v, want state pending", name, r.status, r.body)
		}
	}
	if got := a.must(t, "remove", fields{})["state"]; got != "revoked" {
		t.Errorf("removed while pending: %v, want revoked", got)
	}
}

// Push that the platform lost cannot be switched on again (PUSH-6).
func TestPUSH6_SettingsAskThePlatform(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, false)
	h.SetPolicy(t, policy.Platforms{identity.Android: {Allowed: true}})
	if r := a.call(t, "settings", fields{"push": true}); r.code() != "push-not-allowed" {
		t.Errorf("got %d %q, want push-not-allowed", r.status, r.code())
	}
	if push := a.must(t, "status", nil)["push"].(map[string]any); push["allowed"] != false {
		t.Errorf("status: %v", push)
	}
}

// The stream rings at once, when something happens to the authenticator or to
// its user, and ends when the server does.
func TestStream_Rings(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		s := a.signing("stream", nil)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+Path+"stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(SignatureHeader, a.sign(s))
		res, err := h.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("%d, Content-Type %q", res.StatusCode, got)
		}
		rings := make(chan struct{}, 100)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for lines := bufio.NewScanner(res.Body); lines.Scan(); {
				if lines.Text() == "event: look" {
					rings <- struct{}{}
				}
			}
		}()
		wantNotified := func(why string) {
			t.Helper()
			select {
			case <-rings:
			case <-time.After(5 * time.Second):
				t.Errorf("did not ring %s", why)
			}
		}
		wantNotified("at once")
		h.Do(t, func(tx *store.Tx) error { tx.Notify(store.UserTopic(h.User.ID)); return nil })
		wantNotified("for the user")
		h.Do(t, func(tx *store.Tx) error { tx.Notify(store.AuthenticatorTopic(a.id)); return nil })
		wantNotified("for the authenticator")
		h.streams.Close()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Error("did not end with the server")
		}
	})
}

func TestStream_NotTooMany(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	for range maxStreams {
		s := a.signing("stream", nil)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+Path+"stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(SignatureHeader, a.sign(s))
		res, err := h.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("stream: %d", res.StatusCode)
		}
	}
	if r := a.call(t, "stream", nil); r.status != http.StatusTooManyRequests || r.code() != "throttled" {
		t.Errorf("got %d %q, want 429 throttled", r.status, r.code())
	}
}

package notify

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// The answers of a push service, their effect on the subscription, and the delay
// before a retry, if any.
func TestPUSH24_WhatPushServicesAnswer(t *testing.T) {
	elsewhere := newService(t, time.Now)
	const never = 0
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		failure Failure
		again   int
	}{
		{"ok", status(200), "", never},
		{"created", status(201), "", never},
		{"accepted", status(202), "", never},
		{"no content", status(204), "", never},
		{"not found", status(404), Gone, never},
		{"gone", status(410), Gone, never},
		{"bad request", status(400), Refused, never},
		{"bad token", status(403), Refused, never},
		{"too large", status(413), Refused, never},
		{"redirect", status(307, "Location", elsewhere.URL+"/"), Refused, never},
		{"see other", status(303, "Location", elsewhere.URL+"/"), Refused, never},
		{"too many", status(429), Busy, 1},
		{"too many, wait", status(429, "Retry-After", "20"), Busy, 20},
		{"too many, wait for nothing", status(429, "Retry-After", "0"), Busy, 1},
		{"too many, wait for garbage", status(429, "Retry-After", "-5"), Busy, 1},
		{"too many, by a date", status(429, "Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), Busy, 1},
		{"too many, longer than the request lives", status(429, "Retry-After", "61"), Busy, never},
		{"too many, for ever", status(429, "Retry-After", "99999999999999999999"), Busy, 1},
		{"broken", status(500), Unreachable, 1},
		{"out of order, wait", status(503, "Retry-After", "30"), Unreachable, 30},
		{"a megabyte", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), 1<<20)) }, Unreachable, 1},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Unreachable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := onSQLite(t)
			a, _ := h.subscribedAuthenticator(t, "phone")
			h.request(t, policy.Enter)
			h.service.answer(tt.answer)
			h.flush(t)
			s, err := h.DB.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
			switch {
			case (err != nil) != (tt.failure == Gone):
				t.Errorf("subscription: %v", err)
			case err == nil && s.Failure != string(tt.failure):
				t.Errorf("failure %q, want %q", s.Failure, tt.failure)
			}
			h.service.called()
			waited := never
			for range 120 {
				h.Clock.Advance(time.Second)
				waited++
				if h.flush(t); h.service.called() > 0 {
					break
				}
			}
			if waited == 120 {
				waited = never
			}
			if waited != tt.again {
				t.Errorf("came again after %d s, want %d (0 is never)", waited, tt.again)
			}
			if n := elsewhere.called(); n != 0 {
				t.Errorf("%d calls went where the answer pointed", n)
			}
			if tt.again != never {
				got := h.service.deliveries()
				if len(got) != 1 || got[0].ttl != 60-tt.again {
					t.Errorf("deliveries %+v, want one with what is left of a minute", got)
				}
				if s := h.subscription(t, a); s.Failure != "" || s.SentAt.IsZero() {
					t.Errorf("afterwards: failure %q, sent %v", s.Failure, s.SentAt)
				}
			}
		})
	}
}

// Attempts have growing delays and end with the request. Without the expiry in
// attempt, in notificationDue and in prepare they go on; each of the three is
// sufficient.
func TestPUSH24_TriesEndWithTheRequest(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		h.subscribedAuthenticator(t, "phone")
		h.request(t, policy.Enter)
		out := make([]http.HandlerFunc, 1000)
		for i := range out {
			out[i] = status(503)
		}
		h.service.answer(out...)
		var tries []int
		for second := range 180 {
			h.flush(t)
			for range h.service.called() {
				tries = append(tries, second)
			}
			h.Clock.Advance(time.Second)
		}
		if len(tries) != 7 || tries[6] >= 60 {
			t.Errorf("tries at %v, want 7, all within a minute", tries)
		}
	})
}

// A subscription that is gone is removed, recorded, and never used again. One that
// replaced it meanwhile remains. Without the endpoint in SubscriptionGone's
// condition the new one is removed too.
func TestPUSH24_GoneButReplaced(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		a, _ := h.subscribedAuthenticator(t, "phone")
		newer := h.service.subscribe(t)
		h.request(t, policy.Enter)
		h.service.answer(func(w http.ResponseWriter, r *http.Request) {
			h.Do(t, func(tx *store.Tx) error { return Subscribe(t.Context(), tx, a, newer.subscription(t)) })
			w.WriteHeader(http.StatusGone)
		})
		h.flush(t)
		h.subscription(t, a)

		h.service.mu.Lock()
		delete(h.service.browsers, newer.path)
		h.service.mu.Unlock()
		h.Clock.Advance(15 * time.Second)
		h.request(t, policy.Enter)
		h.flush(t)
		if _, err := h.DB.Subscriptions().Get(t.Context(), a.Tenant, a.ID); err == nil {
			t.Error("a subscription that is gone is still there")
		}
		events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.AuthenticatorPush, Limit: 10}))
		if err != nil || len(events) == 0 || events[0].Reason != "subscription gone" {
			t.Errorf("events %+v, %v", events, err)
		}
	})
}

// Two nodes, each with several goroutines, notify each browser once. Without
// leased_until in notificationDue some are notified twice.
func TestPUSH24_OnceOnTwoNodes(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		const browsers = 20
		for range browsers {
			h.subscribedAuthenticator(t, "phone")
		}
		h.request(t, policy.Enter)
		other := h.newNotifier(t, h.Node(t), "two")
		var all sync.WaitGroup
		for i := range 6 {
			notifier := h.notifier
			if i%2 == 1 {
				notifier = other
			}
			all.Go(func() {
				for range 5 {
					if _, err := notifier.sendDue(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		notification := make(map[*browser]int)
		for _, d := range h.service.deliveries() {
			notification[d.browser]++
		}
		for b, n := range notification {
			if n != 1 {
				t.Errorf("%s was notified %d times", b.path, n)
			}
		}
		if len(notification) != browsers {
			t.Errorf("%d browsers were notified, want %d", len(notification), browsers)
		}
	})
}

// Another node sends what a crashed node had leased and not sent.
func TestPUSH24_ANodeThatDied(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		h.subscribedAuthenticator(t, "phone")
		h.request(t, policy.Enter)
		h.Do(t, func(tx *store.Tx) error {
			taken, err := tx.Notifications().Lease(t.Context(), "dead", tx.Now().Add(leaseDuration), 10)
			if len(taken) != 1 {
				t.Errorf("%d taken, want 1", len(taken))
			}
			return err
		})
		if h.flush(t) != 0 {
			t.Error("taken from a node that may yet send it")
		}
		h.Clock.Advance(leaseDuration)
		h.flush(t)
		if got := h.service.deliveries(); len(got) != 1 || got[0].ttl != 45 {
			t.Errorf("deliveries %+v, want one", got)
		}
	})
}

// A notifier that stops gives up its leases: the next one sends at once, and nobody
// waits for a push service.
func TestPUSH24_StoppingGivesBack(t *testing.T) {
	h := onSQLite(t)
	h.subscribedAuthenticator(t, "phone")
	came := make(chan struct{})
	h.service.answer(func(_ http.ResponseWriter, r *http.Request) {
		close(came)
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // otherwise a 200 could be sent while the notifier disconnects
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.notifier.Run(ctx) }()
	h.request(t, policy.Enter)
	<-came
	began := time.Now()
	stop()
	<-ended
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
	h.flush(t)
	if got := h.service.deliveries(); len(got) != 1 {
		t.Errorf("%d deliveries after the restart, want 1", len(got))
	}
}

// A push service that never answers delays only its own browsers, and those only for
// a short time.
func TestPUSH24_ASlowServiceDelaysNoOther(t *testing.T) {
	h := onSQLite(t)
	a, slow := h.subscribedAuthenticator(t, "at a slow one")
	h.subscribedAuthenticator(t, "at a quick one")
	h.request(t, policy.Enter)
	hang := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == slow.path {
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // see TestPUSH24_StoppingGivesBack
		}
		status, err := h.service.receive(r)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}
	h.service.answer(hang, hang)
	began, notification := time.Now(), make(chan time.Duration, 1)
	go func() {
		for len(h.service.deliveries()) == 0 {
			time.Sleep(time.Millisecond)
		}
		notification <- time.Since(began)
	}()
	h.flush(t)
	if took := <-notification; took > sendTimeout/2 {
		t.Errorf("the quick one took %v", took)
	}
	if took := time.Since(began); took > sendTimeout+2*time.Second || h.subscription(t, a).Failure != string(Unreachable) {
		t.Errorf("the slow one was given %v, failure %q", took, h.subscription(t, a).Failure)
	}
}

// If the host name of a push service resolves to an internal address, nothing is
// called and nothing is tried again. The same holds if the operator no longer allows
// the service (QLT-5, attack 18). Without the guard of package outbound the service
// is reached.
func TestQLT5_PUSH24_NoPrivateAddress(t *testing.T) {
	h := onSQLite(t)
	a, _ := h.subscribedAuthenticator(t, "phone")
	h.request(t, policy.Enter)
	h.notifier.Client = outbound.NewWithRoots(nil, h.service.roots)
	h.flush(t)
	if n := h.service.called(); n != 0 || h.subscription(t, a).Failure != string(Refused) {
		t.Errorf("%d calls, failure %q, want none and a refusal", n, h.subscription(t, a).Failure)
	}
	h.Clock.Advance(30 * time.Second)
	if h.flush(t) != 0 {
		t.Error("tried again")
	}
	h.notifier.Client = outbound.NewWithRoots(loopback, h.service.roots)
	known, err := webpush.NewServices(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.notifier.Services = known
	h.request(t, policy.Enter)
	h.flush(t)
	if n := h.service.called(); n != 0 || h.subscription(t, a).Failure != string(Refused) {
		t.Errorf("%d calls to a service that is no longer named", n)
	}
}

// The log contains nothing that could be used, whatever goes wrong.
func TestPUSH25_TheLogHoldsNoEndpoint(t *testing.T) {
	h := onSQLite(t)
	var log bytes.Buffer
	h.notifier.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, b := h.subscribedAuthenticator(t, "phone")
	h.request(t, policy.Enter)
	h.service.answer(status(500), status(429), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, status(410))
	for range 20 {
		h.flush(t)
		h.Clock.Advance(time.Second)
	}
	text := log.String()
	if strings.Count(text, "notification not sent") != 4 || !strings.Contains(text, a.ID) || !strings.Contains(text, h.service.host()) {
		t.Errorf("log %s", text)
	}
	for _, secret := range []string{b.path, b64(b.auth), "vapid "} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// The end of a request silently replaces its notification on the phones that did not
// answer, and only there.
func TestPUSH11_TheOthersAreTold(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		answered, _ := h.subscribedAuthenticator(t, "answered")
		_, other := h.subscribedAuthenticator(t, "other")
		p := h.request(t, policy.Enter)
		h.flush(t)
		notification := h.service.deliveries()
		late, _ := h.subscribedAuthenticator(t, "subscribed since")
		h.Clock.Advance(10 * time.Second)
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Push().End(t.Context(), p.Tenant, p.ID, store.PushApproved, answered.ID)
			return err
		})
		h.flush(t)
		h.flush(t)
		got := h.service.deliveries()
		if len(got) != 1 || got[0].browser != other {
			t.Fatalf("%d deliveries, want one to the phone that did not answer (and none to %s)", len(got), late.Name)
		}
		d := got[0]
		if d.sent.Latchkey.Kind != "ended" || d.sent.Latchkey.Request != p.ID || !d.sent.Notification.Silent || d.sent.AppBadge != 0 || d.ttl != 50 {
			t.Errorf("TTL %d, %s", d.ttl, d.raw)
		}
		for _, before := range notification {
			if before.browser == other && (before.topic != d.topic || before.sent.Notification.Tag != d.sent.Notification.Tag) {
				t.Error("it does not take the place of the first")
			}
		}
	})
}

// Apple counts messages that show nothing new against the app. Without AllowsSilent
// in prepare there is something to send.
func TestPUSH11_AppleIsNotToldOfTheEnd(t *testing.T) {
	h := onSQLite(t)
	for host, want := range map[string]bool{"fcm.googleapis.com": true, "web.push.apple.com": false} {
		a, b := h.Authenticator(t, host), h.service.subscribe(t).subscription(t)
		b.Endpoint = "https://" + host + "/x"
		h.Do(t, func(tx *store.Tx) error { return Subscribe(t.Context(), tx, a, b) })
		h.Clock.Advance(15 * time.Second)
		p := h.request(t, policy.Enter)
		notification := store.Notification{Tenant: p.Tenant, Push: p.ID, Authenticator: a.ID, Kind: store.NotifyRequest}
		h.Do(t, func(tx *store.Tx) error {
			if err := tx.Notifications().Done(t.Context(), notification, true); err != nil {
				return err
			}
			return push.Cancel(t.Context(), tx, p.Tenant, p.ID)
		})
		notification.Kind, notification.Notified = store.NotifyEnded, true
		l, err := h.notifier.prepare(t.Context(), notification)
		if err != nil || (l != nil) != want {
			t.Errorf("%s: %v, %v, want a message: %v", host, l, err, want)
		}
	}
}

// If a request ends while its notification is being sent, its end is sent
// afterwards. For a request that was never notified it is not.
func TestPUSH11_EndedWhileRinging(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		_, b := h.subscribedAuthenticator(t, "phone")
		p := h.request(t, policy.Enter)
		h.service.answer(func(w http.ResponseWriter, r *http.Request) {
			h.Do(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, p.Tenant, p.ID) })
			w.WriteHeader(http.StatusCreated)
		})
		h.flush(t)
		h.flush(t)
		if got := h.service.deliveries(); len(got) != 1 || got[0].browser != b || got[0].sent.Latchkey.Kind != "ended" {
			t.Errorf("deliveries %+v, want one of the end", got)
		}

		h.Clock.Advance(15 * time.Second)
		p = h.request(t, policy.Enter)
		h.service.answer(status(503))
		h.flush(t)
		h.Do(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, p.Tenant, p.ID) })
		h.Clock.Advance(5 * time.Second)
		h.flush(t)
		if got := h.service.deliveries(); len(got) != 0 {
			t.Errorf("deliveries %+v for a request that was never notified", got)
		}
	})
}

// Rows of finished notifications are deleted.
func TestPUSH24_Swept(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		h.subscribedAuthenticator(t, "phone")
		h.request(t, policy.Enter)
		h.flush(t)
		h.Clock.Advance(2 * time.Minute)
		var n int64
		if err := h.DB.InTx(t.Context(), identity.Principal{Kind: identity.System}, func(tx *store.Tx) (err error) {
			n, err = tx.Sweep(t.Context())
			return err
		}); err != nil || n == 0 {
			t.Errorf("%d rows swept, %v", n, err)
		}
	})
}

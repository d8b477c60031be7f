package notify

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// A fixture is a database with a notifier and a push service.
type fixture struct {
	*storetest.Fixture
	service  *service
	notifier *Notifier
}

// onEachDatabase runs f with a fixture on every available database.
func onEachDatabase(t *testing.T, f func(t *testing.T, h *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, in *storetest.Fixture) { f(t, newFixture(t, in)) })
}

// onSQLite returns a fixture for tests that do not depend on the database.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, storetest.SQLite(t))
}

func newFixture(t *testing.T, in *storetest.Fixture) *fixture {
	t.Helper()
	h := &fixture{Fixture: in, service: newService(t, in.Clock.Now)}
	var err error
	if h.service.key, _, err = h.DB.VAPID().Public(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.notifier = h.newNotifier(t, h.DB, "one")
	return h
}

// loopback is the network that tests may call, as an operator would allow it.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// newNotifier returns the notifier of a node.
func (h *fixture) newNotifier(t *testing.T, db *store.DB, name string) *Notifier {
	t.Helper()
	catalog := localestest.Catalog(t)
	services, err := webpush.NewServices([]string{h.service.host()})
	if err != nil {
		t.Fatal(err)
	}
	return &Notifier{DB: db, Client: outbound.NewWithRoots(loopback, h.service.roots), Services: services, Catalog: catalog,
		Base: "https://id.example.org", Contact: "mailto:help@example.org", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Node: name}
}

// subscribedAuthenticator returns an authenticator of the user whose browser has subscribed.
func (h *fixture) subscribedAuthenticator(t *testing.T, name string) (identity.Authenticator, *browser) {
	t.Helper()
	a, b := h.Authenticator(t, name), h.service.subscribe(t)
	h.Do(t, func(tx *store.Tx) error { return Subscribe(t.Context(), tx, a, b.subscription(t)) })
	return a, b
}

// request starts a push request of the user.
func (h *fixture) request(t *testing.T, presence policy.Presence) store.PushRequest {
	t.Helper()
	j := h.Journey(t, "browser")
	var p store.PushRequest
	h.Do(t, func(tx *store.Tx) (err error) {
		p, err = push.Start(t.Context(), tx, j, push.Display{Application: "Payroll", Place: "Bergen, Norway"}, presence, policy.DefaultPush())
		return err
	})
	return p
}

// flush makes one attempt at everything that is due.
func (h *fixture) flush(t *testing.T) int {
	t.Helper()
	n, err := h.notifier.sendDue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (h *fixture) subscription(t *testing.T, a identity.Authenticator) store.PushSubscription {
	t.Helper()
	s, err := h.DB.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A request notifies every browser of the user, once, with what PUSH-12 allows and
// no more.
func TestPUSH11_PUSH24_ARequestRings(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, h *fixture) {
		a, first := h.subscribedAuthenticator(t, "phone")
		_, second := h.subscribedAuthenticator(t, "desk")
		h.Authenticator(t, "one that has no subscription")
		p := h.request(t, policy.Enter)
		h.flush(t)
		h.flush(t)
		got := h.service.deliveries()
		if len(got) != 2 || got[0].browser == got[1].browser {
			t.Fatalf("%d deliveries, want one for each of two browsers", len(got))
		}
		for _, d := range got {
			if d.browser != first && d.browser != second || d.ttl != 60 || d.urgency != "high" || d.topic == "" {
				t.Errorf("TTL %d, urgency %q, topic %q", d.ttl, d.urgency, d.topic)
			}
			if d.browser != first {
				continue
			}
			want := message{WebPush: 8030, AppBadge: 1,
				Notification: notification{Title: "Signing in to \u2068Payroll\u2069?", Body: "\u2068Example Hospital\u2069, user \u2068anna.berg\u2069. Open to answer.",
					Lang: "en", Dir: "ltr", Navigate: "https://id.example.org/authenticator/", Tag: "push"},
				Latchkey: workerData{Kind: "request", Authenticator: a.ID, Request: p.ID, Expires: p.ExpiresAt.Unix()}}
			if d.sent != want {
				t.Errorf("got  %+v\nwant %+v", d.sent, want)
			}
			number, err := h.DB.Push().Number(t.Context(), p.Tenant, p.ID)
			if err != nil || number == "" {
				t.Fatalf("number %q: %v", number, err)
			}
			for _, secret := range []string{`"` + number, p.Nonce, p.IP, p.Place} {
				if strings.Contains(string(d.raw), secret) {
					t.Errorf("PUSH-25: %q is in %s", secret, d.raw)
				}
			}
		}
		if s := h.subscription(t, a); !s.SentAt.Equal(h.Clock.Now()) || s.Failure != "" {
			t.Errorf("subscription: sent %v, failure %q", s.SentAt, s.Failure)
		}
	})
}

// A notification's time to live is what remains of the request's.
func TestPUSH24_TimeToLive(t *testing.T) {
	h := onSQLite(t)
	h.subscribedAuthenticator(t, "phone")
	h.request(t, policy.Enter)
	h.Clock.Advance(45 * time.Second)
	h.flush(t)
	if got := h.service.deliveries(); len(got) != 1 || got[0].ttl != 15 {
		t.Errorf("deliveries %+v, want one with a TTL of 15", got)
	}
}

// sendDue makes one attempt at each notification that is due, up to a batch, and
// returns the size of the batch: a turn of Run, for tests that go by their own clock.
func (nt *Notifier) sendDue(ctx context.Context) (int, error) {
	free := make(chan struct{}, maxConcurrent)
	for range maxConcurrent {
		free <- struct{}{}
	}
	var work sync.WaitGroup
	defer work.Wait()
	return nt.dispatch(ctx, free, &work)
}

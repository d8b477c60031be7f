package e2e

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"

	"github.com/latchkey-id/latchkey/doorbell"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/outbound"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/push"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/webpush"
)

// The whole way of a notification, by Chromium's own Push API: the web
// authenticator subscribes, with our key and at a push service that we know;
// what we send is decrypted by Chromium and by nobody else, and its worker shows
// it. Google's part is played by a courier on this machine, and only the host of
// the endpoint is changed, to his.
func TestPUSH24_ChromiumIsRung(t *testing.T) {
	c := newCourier(t)
	h := furnishApp(t)
	b := open(t, chromium(t, c.options()...), Look{Width: 390}) // in the browser's own profile: others have no push
	b.permit("notifications", browser.PermissionSettingGranted)
	h.enrolled(t, b, nil)
	b.working()
	a := h.awaitSubscription(t, b.Attribute(`.account`, "data-authenticator"))
	h.sendBy(t, c, a)

	j := h.journey(t)
	var p store.PushRequest
	h.tx(t, func(tx *store.Tx) (err error) {
		p, err = push.Start(t.Context(), tx, j, push.Shown{Application: "Payroll"}, policy.Enter, policy.DefaultPush())
		return err
	})
	h.ring(t)
	if got := b.notifications(1)[0]; got.Title != "Signing in to \u2068Payroll\u2069?" || !strings.Contains(got.Body, "Anna.Berg") || len(got.Actions) != 0 {
		t.Errorf("rung with %+v", got)
	}
	b.See(number) // the app was open all the while
	h.tx(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, p.Tenant, p.ID) })
	h.ring(t)
	b.eventually("the end in its place", `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.length === 1 && all[0].silent && all[0].title.startsWith("Sign-in to"))`)
	b.dismiss()

	// What the person can try.
	b.Click(done) // the app says too that it is over
	b.Click(`.account .top button`)
	b.Await("the button of the test", `[...document.querySelectorAll("#sheet button.plain")].some((button) => button.textContent === "Test push" && (button.click(), true))`)
	b.Await("each step of the test done", `document.querySelectorAll("#sheet li[data-step][data-state=done]").length === 4`)
	if got := b.notifications(1)[0]; got.Title != "Notifications work" {
		t.Errorf("tested with %+v", got)
	}
}

// awaitSubscription waits until an app has subscribed.
func (h *appHouse) awaitSubscription(t *testing.T, id string) identity.Authenticator {
	t.Helper()
	a, err := h.db.Authenticator(t.Context(), h.user.Tenant, id)
	for end := time.Now().Add(patience); err == nil; time.Sleep(50 * time.Millisecond) {
		_, missing := h.db.PushSubscription(t.Context(), a.Tenant, a.ID)
		switch {
		case missing == nil:
			return a
		case !errors.Is(missing, identity.NotFound) || time.Now().After(end):
			err = missing
		}
	}
	t.Fatalf("the app did not subscribe: %v", err)
	return a
}

// sendBy has what goes to an authenticator's subscription sent by a courier.
func (h *appHouse) sendBy(t *testing.T, c *courier, a identity.Authenticator) {
	t.Helper()
	services, err := webpush.NewServices([]string{strings.TrimPrefix(c.URL, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate())
	h.bell.Services, h.bell.Client = services, outbound.NewTrusting([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, roots)
	h.tx(t, func(tx *store.Tx) error {
		has, err := tx.PushSubscription(t.Context(), a.Tenant, a.ID)
		if err != nil {
			return err
		}
		sub, err := tx.OpenSubscription(t.Context(), has)
		if err != nil {
			return err
		}
		_, token, _ := strings.Cut(sub.Endpoint, endpoints)
		sub.Endpoint = c.URL + endpoints + token
		return doorbell.Subscribe(t.Context(), tx, a, sub)
	})
}

// ring sends what is due.
func (h *appHouse) ring(t *testing.T) {
	t.Helper()
	if n, err := h.bell.Flush(t.Context()); n == 0 || err != nil {
		t.Fatalf("%d notifications, %v", n, err)
	}
}

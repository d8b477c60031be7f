package e2e

import (
	"context"
	"crypto/x509"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// The whole way of a notification, by Chromium's own Push API: the web
// authenticator subscribes, with our key and at a push service that we know;
// what we send is decrypted by Chromium and by nobody else, and its worker shows
// it. Google's part is played by a server on this machine, and only the host of
// the endpoint is changed, to his.
func TestPUSH24_ChromiumIsNotified(t *testing.T) {
	t.Parallel()
	c := newFCMServer(t)
	h := startApp(t)
	b := open(t, startChromium(t, c.options()...), Profile{Width: 390}) // in the browser's own profile: others have no push
	b.permit("notifications", browser.PermissionSettingGranted)
	h.enrolled(t, b, nil)
	b.awaitWorker()
	a := h.awaitSubscription(t, b)
	b.Open(h.base + "/authenticator/sw.js") // the app is closed; its notifications can be asked about here
	h.sendBy(t, c, a)

	j := h.journey(t)
	var p store.PushRequest
	h.tx(t, func(tx *store.Tx) (err error) {
		p, err = push.Start(t.Context(), tx, j, push.Display{Application: "Payroll"}, policy.Enter, policy.DefaultPush())
		return err
	})
	if got := b.notifications(1)[0]; got.Title != "Signing in to \u2068Payroll\u2069?" || !strings.Contains(got.Body, "Anna.Berg") || len(got.Actions) != 0 {
		t.Errorf("shown: %+v", got)
	}
	h.tx(t, func(tx *store.Tx) error { return push.Cancel(t.Context(), tx, p.Tenant, p.ID) })
	b.eventually("the end in its place", `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.length === 1 && all[0].silent && all[0].title.startsWith("Sign-in to"))`)

	// What the person can try.
	b.Open(h.base + "/authenticator/")
	b.Click(`.account .top button`)
	b.Await("the button of the test", `[...document.querySelectorAll("#sheet button.plain")].some((button) => button.textContent === "Test push" && (button.click(), true))`)
	b.Await("each step of the test done", `document.querySelectorAll("#sheet li[data-step][data-state=done]").length === 4`)
}

// awaitSubscription waits until the app has subscribed: when it is opened, if its
// worker is there by then, and else when it is opened again.
func (h *appServer) awaitSubscription(t *testing.T, b *Browser) identity.Authenticator {
	t.Helper()
	a, err := h.db.Authenticators().Get(t.Context(), h.user.Tenant, b.Attribute(`.account`, "data-authenticator"))
	if err != nil {
		t.Fatal(err)
	}
	again := time.Now().Add(5 * time.Second)
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		_, err = h.db.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
		if err == nil {
			// Or it would tell its endpoint anew when it is opened again.
			b.eventually("the app has kept what it told", `new Promise((yes) => { indexedDB.open("latchkey-authenticator").onsuccess = ({ target: { result: db } }) => {
				db.transaction("accounts").objectStore("accounts").getAll().onsuccess = ({ target }) => { db.close(); yes(target.result.every((account) => account.endpoint)) } } })`)
			return a
		}
		if time.Now().After(again) {
			b.Open(h.base + "/authenticator/")
			again = end
		}
	}
	t.Fatalf("the app did not subscribe: %v", err)
	return a
}

// sendBy has what goes to an authenticator's subscription sent by that server, from
// now on and until the test ends.
func (h *appServer) sendBy(t *testing.T, c *fcmServer, a identity.Authenticator) {
	t.Helper()
	services, err := webpush.NewServices([]string{strings.TrimPrefix(c.URL, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate())
	h.notifier.Services, h.notifier.Client = services, outbound.NewWithRoots([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, roots)
	h.tx(t, func(tx *store.Tx) error {
		has, err := tx.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
		if err != nil {
			return err
		}
		sub, err := tx.Subscriptions().Unseal(t.Context(), has)
		if err != nil {
			return err
		}
		_, token, _ := strings.Cut(sub.Endpoint, endpoints)
		sub.Endpoint = c.URL + endpoints + token
		return notify.Subscribe(t.Context(), tx, a, sub)
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.notifier.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

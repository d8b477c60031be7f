package e2e

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"

	"github.com/latchkey-id/latchkey/doorbell"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/outbound"
	"github.com/latchkey-id/latchkey/policy"
	"github.com/latchkey-id/latchkey/push"
	"github.com/latchkey-id/latchkey/store"
	"github.com/latchkey-id/latchkey/store/storetest"
	"github.com/latchkey-id/latchkey/webpush"
)

// Chromium's own Push API: it subscribes with our key, at an endpoint of a push
// service that we know, and its service worker reads what we send, decrypted by
// Chromium and by nobody else. Google's part is played by a courier on this
// machine; only the endpoint's host is changed, to his.
func TestPUSH24_ChromiumReadsWhatWeSend(t *testing.T) {
	c := newCourier(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/worker.js" {
			w.Header().Set("Content-Type", "text/javascript")
			w.Write([]byte(`self.addEventListener("push", (event) => event.waitUntil((async () => {
				await self.registration.showNotification(event.data.json().notification.title);
				new BroadcastChannel("pushed").postMessage(event.data.text());
			})()));`))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!DOCTYPE html><title>an app</title>`))
	}))
	t.Cleanup(page.Close)
	h := storetest.SQLite(t)
	key, _, err := h.DB.VAPIDPublic(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	b := open(t, chromium(t, c.options()...), Look{}) // in the browser's own profile: others have no push
	b.permit("notifications", browser.PermissionSettingGranted)
	b.Open(strings.Replace(page.URL, "127.0.0.1", "localhost", 1))
	if _, err := evaluate[bool](b, `(window.pushed = [], new BroadcastChannel("pushed").onmessage = ({ data }) => pushed.push(data),
		navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready)
			.then(({ pushManager }) => pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: "`+base64.RawURLEncoding.EncodeToString(key)+`" }))
			.then((subscription) => { window.subscription = JSON.stringify(subscription); }, (error) => { window.subscription = String(error); }), true)`); err != nil {
		t.Fatal(err)
	}
	b.Await("a subscription", `window.subscription`)
	said, err := evaluate[string](b, `subscription`)
	if err != nil {
		t.Fatal(err)
	}
	var has struct {
		Endpoint string
		Keys     struct{ P256DH, Auth string }
	}
	if err := json.Unmarshal([]byte(said), &has); err != nil {
		t.Fatalf("%s: %v", said, err)
	}
	known, err := webpush.NewServices([]string{strings.TrimPrefix(c.URL, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := webpush.Parse(has.Endpoint, has.Keys.P256DH, has.Keys.Auth, known)
	if err != nil {
		t.Fatalf("Chromium's subscription is refused: %v", err)
	}
	_, token, _ := strings.Cut(sub.Endpoint, endpoints)
	sub.Endpoint = c.URL + endpoints + token

	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate())
	bell := &doorbell.Bell{DB: h.DB, Client: outbound.NewTrusting([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, roots), Services: known,
		Catalog: catalog, Base: "https://id.example.org", Contact: "mailto:help@example.org", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	a := h.Authenticator(t, "Chromium")
	j := h.Journey(t, "browser")
	h.Do(t, func(tx *store.Tx) error {
		if err := doorbell.Subscribe(t.Context(), tx, a, sub); err != nil {
			return err
		}
		_, err := push.Start(t.Context(), tx, j, push.Shown{Application: "Payroll"}, policy.Enter, policy.DefaultPush())
		return err
	})
	if _, err := bell.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Await("a push", `pushed.length > 0`)
	got, err := evaluate[string](b, `pushed[0]`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, `"web_push":8030`) || !strings.Contains(got, "\u2068Payroll\u2069") || !strings.Contains(got, a.ID) {
		t.Errorf("Chromium reads %s", got)
	}
}

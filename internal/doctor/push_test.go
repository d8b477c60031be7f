package doctor

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// A push service that cannot be reached is a warning, because apps work without it.
func TestPUSH27_PushServices(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		service := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(service.Close)
		d.Roots = x509.NewCertPool()
		d.Roots.AddCert(service.Certificate())
		host := strings.TrimPrefix(service.URL, "https://")
		d.PushHosts = []string{}
		d.Config.Push.Services = []string{host, "*.push.example.org"}
		d.Config.OutgoingAllow = []string{"127.0.0.1"}
		found := d.found(t, (*Doctor).pushServices)
		expect(t, found, OK, "1 of 1 push services answer")
		expect(t, found, OK, "the key of Web Push is 0 minutes old")
		expect(t, found, OK, "may write to https://github.com/")

		d.Config.OutgoingAllow = nil
		expect(t, d.found(t, (*Doctor).pushServices), Warning, host+" is not reached")
		d.Config.OutgoingAllow = []string{"127.0.0.1"}
		d.PushHosts = []string{"127.0.0.1:1"}
		expect(t, d.found(t, (*Doctor).pushServices), Warning, "127.0.0.1:1 is not reached")
		d.PushHosts = []string{}

		for contact, sane := range map[string]bool{"help@example.org": true, "mailto:help@example.org": true, "https://example.org/push": true,
			"help@localhost": false, "help@mail.internal": false, "https://localhost/x": false, "https://login.test:8443": false} {
			if d.Config.Push.Contact = contact; sane {
				expect(t, d.found(t, (*Doctor).pushServices), OK, contact)
			} else {
				expect(t, d.found(t, (*Doctor).pushServices), Warning, "Apple's refuses")
			}
		}
		d.Config.Push.Contact = ""
		services := d.Config.Push.Services
		d.Config.Push.Services = []string{"none"}
		expect(t, d.found(t, (*Doctor).pushServices), OK, "none are used")
		d.Config.Push.Services = services

		// Another server's keys file.
		db, err := store.Open(t.Context(), store.Options{Source: d.Config.Source(), Keys: store.NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ours := d.Database
		d.Database = db
		expect(t, d.found(t, (*Doctor).pushServices), Error, "cannot be opened")
		d.Database = ours

		subscribe(t, d, host)
		d.Config.Push.Services = nil
		d.Now = func() time.Time { return time.Now().AddDate(0, 0, 3) }
		found = d.found(t, (*Doctor).pushServices)
		expect(t, found, Warning, host+" did not take the last notification of 1 of 1 browsers")
		if text := found[len(found)-1].Text; text != "1 of 1 push services answer" {
			t.Errorf("a service in use: %q", text)
		}
	})
}

// subscribe gives a user a browser whose last notification failed.
func subscribe(t *testing.T, d *Doctor, host string) {
	t.Helper()
	enrollWebAuthenticator(t, d)
	d.do(t, func(tx *store.Tx) error {
		all, err := store.Collect(tx.Tenants().All(t.Context()))
		if err != nil {
			return err
		}
		a, err := tx.Authenticators().BySerial(t.Context(), all[0].ID, "LK-1")
		if err != nil {
			return err
		}
		if _, err := tx.Subscriptions().Set(t.Context(), a.Tenant, a.ID, webpush.Subscription{Endpoint: "https://" + host + "/x", P256DH: []byte("p"), Auth: []byte("a")}); err != nil {
			return err
		}
		s, err := tx.Subscriptions().Get(t.Context(), a.Tenant, a.ID)
		if err != nil {
			return err
		}
		return tx.Subscriptions().Served(t.Context(), s, "refused")
	})
}

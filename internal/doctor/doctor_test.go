package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/location/locationtest"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var operator = identity.Principal{Kind: identity.CommandLine, Name: "test"}

// newDoctor creates a server's folder, on each available database, and a doctor that checks it.
func newDoctor(t *testing.T, f func(t *testing.T, d *Doctor)) {
	for kind, source := range storetest.Empty(t) {
		t.Run(kind, func(t *testing.T) {
			c := config.Default(t.TempDir())
			c.Database = source
			if err := server.Init(t.Context(), c, operator, identity.Tenant{Slug: "example", Name: "Example Hospital"}); err != nil {
				t.Fatal(err)
			}
			keys, err := c.Keys()
			if err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(t.Context(), store.Options{Source: source, Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			f(t, &Doctor{Config: c, Database: db, Now: time.Now})
		})
	}
}

// found returns the findings of one check.
func (d *Doctor) found(t *testing.T, look func(*Doctor, context.Context, *report) error) []Finding {
	t.Helper()
	var c report
	if err := look(d, t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	return c.findings
}

// expect expects a finding of a level with a text, and none that is worse.
func expect(t *testing.T, found []Finding, level Level, text string) {
	t.Helper()
	rank := map[Level]int{OK: 0, Warning: 1, Error: 2}
	there := false
	for _, f := range found {
		there = there || f.Level == level && strings.Contains(f.Text, text)
		if rank[f.Level] > rank[level] || (f.Do == "") != (f.Level == OK) {
			t.Errorf("found %+v", f)
		}
	}
	if !there {
		t.Errorf("no %s with %q in %+v", level, text, found)
	}
}

func (d *Doctor) do(t *testing.T, f func(tx *store.Tx) error) {
	t.Helper()
	if err := d.Database.InTx(t.Context(), operator, f); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	d := &Doctor{Config: config.Default(t.TempDir()), Now: time.Now}
	if err := errors.Join(d.Config.MakeKeys(), d.Config.Write()); err != nil {
		t.Fatal(err)
	}
	expect(t, d.found(t, (*Doctor).files), OK, "2 files")
	for _, name := range []string{config.File, "latchkey.keys"} {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
			if err := os.Chmod(d.Config.Path(name), mode); err != nil {
				t.Fatal(err)
			}
			expect(t, d.found(t, (*Doctor).files), Error, name)
		}
		if err := os.Chmod(d.Config.Path(name), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, d.found(t, (*Doctor).files), OK, "2 files")
}

// What may be wrong with the file of places is told apart, and so are files that are right.
func TestLocations(t *testing.T) {
	dir := t.TempDir()
	city := filepath.Join(dir, "city.mmdb")
	locationtest.Write(t, city, locationtest.Record{Network: "192.0.2.0/24", City: locationtest.Names{"en": "Bergen"}})
	if err := os.WriteFile(filepath.Join(dir, "page.mmdb"), []byte("<html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file  string
		age   time.Duration
		level Level
		text  string
	}{
		{"", 0, OK, "no location database is configured"},
		{"city.mmdb", 89 * 24 * time.Hour, OK, "GeoLite2-City, built on 2026-11-24"},
		{"city.mmdb", 91 * 24 * time.Hour, Warning, "was built 91 days ago"},
		{"none.mmdb", 0, Warning, "no such file"},
		{"page.mmdb", 0, Warning, "cannot be used"},
	} {
		d := &Doctor{Config: config.Default(dir), Now: func() time.Time { return locationtest.Built.Add(tt.age) }}
		d.Config.LocationDatabase = tt.file
		expect(t, d.found(t, (*Doctor).locations), tt.level, tt.text)
	}
}

func TestConfiguration(t *testing.T) {
	d := &Doctor{Config: config.Default(t.TempDir()), Problems: config.Problems{{Key: "lisen", Line: 3, Text: "is not known"}}}
	found := d.found(t, (*Doctor).configuration)
	expect(t, found, Error, "line 3: lisen is not known")
	expect(t, found, Error, "keys_file cannot be used")
}

func TestClock(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		if found := d.found(t, (*Doctor).clock); found[len(found)-1].Level == Error {
			t.Errorf("found %+v", found)
		}
		d.Now = func() time.Time { return time.Now().Add(-time.Minute) } // it was set back
		expect(t, d.found(t, (*Doctor).clock), Error, "in the future")
		if d.Config.Postgres() {
			expect(t, d.found(t, (*Doctor).clock), Error, "behind the database server's")
			d.Now = func() time.Time { return time.Now().Add(10 * time.Second) }
			expect(t, d.found(t, (*Doctor).clock), Warning, "ahead of the database server's")
		}
	})
}

func TestKeys(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		expect(t, d.found(t, (*Doctor).keys), OK, "RS256 key of tenant example for saml")
		d.Now = func() time.Time { return time.Now().AddDate(2, 11, 0) }
		expect(t, d.found(t, (*Doctor).keys), Warning, "certificate until")
		d.Now = time.Now

		// Another server's keys file.
		db, err := store.Open(t.Context(), store.Options{Source: d.Config.Source(), Keys: store.NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		d.Database = db
		expect(t, d.found(t, (*Doctor).keys), Error, "cannot sign for saml")
		expect(t, d.found(t, (*Doctor).keys), Error, "data key 1 of tenant example was sealed with another root 1")
		if err := os.Remove(d.Config.Path(d.Config.KeysFile)); err != nil {
			t.Fatal(err)
		}
		expect(t, d.found(t, (*Doctor).keys), Error, "cannot be read")
	})
}

func TestDatabase(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		found := d.found(t, (*Doctor).database)
		if found[0].Level == Error || !strings.Contains(found[0].Text, "up to date") {
			t.Errorf("found %+v", found)
		}
		d.do(t, func(tx *store.Tx) error {
			all, err := store.Collect(tx.Tenants().All(t.Context()))
			if err != nil {
				return err
			}
			unnamed := all[0]
			unnamed.Name = "default" // as earlier releases made it
			return tx.Tenants().Change(t.Context(), all[0], unnamed)
		})
		expect(t, d.found(t, (*Doctor).database), Warning, `people read "default"`)
		d.Database, d.OpenError = nil, errors.New("connection refused")
		expect(t, d.found(t, (*Doctor).database), Error, "connection refused")
	})
	source := storetest.Empty(t)["sqlite"]
	db, err := store.Open(t.Context(), store.Options{Source: source, Keys: store.NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := &Doctor{Config: config.Default(t.TempDir()), Database: db, Now: time.Now}
	expect(t, d.found(t, (*Doctor).database), Warning, "migrations are pending")
}

func TestBackup(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		expect(t, d.found(t, (*Doctor).backup), Warning, "none was ever made")
		d.do(t, func(tx *store.Tx) error {
			all, err := store.Collect(tx.Tenants().All(t.Context()))
			if err != nil {
				return err
			}
			return tx.Event(t.Context(), audit.Event{Tenant: all[0].ID, Kind: audit.BackupMade})
		})
		expect(t, d.found(t, (*Doctor).backup), OK, "the newest is")
		d.Now = func() time.Time { return time.Now().AddDate(0, 0, 9) }
		expect(t, d.found(t, (*Doctor).backup), Warning, "9 days old")
	})
}

func TestMail(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		expect(t, d.found(t, (*Doctor).mail), Warning, "no way for mails")
		d.Config.Mail.Folder, d.Config.Mail.From = "mails", "login@example.org"
		expect(t, d.found(t, (*Doctor).mail), Warning, "are sent to nobody")
		d.Config.Mail.Folder, d.Config.Mail.Host, d.Config.Mail.Port = "", "127.0.0.1", 1
		expect(t, d.found(t, (*Doctor).mail), Error, "mails do not leave (connect)")
		d.do(t, func(tx *store.Tx) error {
			all, err := store.Collect(tx.Tenants().All(t.Context()))
			if err != nil {
				return err
			}
			return tx.Outbox().Queue(t.Context(), store.Message{Tenant: all[0].ID, ID: "msg", Dedupe: "d", ExpiresAt: time.Now()})
		})
		d.Now = func() time.Time { return time.Now().Add(time.Hour) }
		expect(t, d.found(t, (*Doctor).mail), Error, "mails do not leave")
		d.Config.Mail.Host = ""
		expect(t, d.found(t, (*Doctor).mail), Warning, "1 waiting in the outbox, the oldest for 1 hour")
	})
}

// A web authenticator belongs to the address at which it was created.
func TestWebAuthenticators(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		base := d.Config.BaseURL
		start := func(address string) {
			d.do(t, func(tx *store.Tx) error { return tx.Installation().NoteOrigin(t.Context(), address) })
		}
		expect(t, d.found(t, (*Doctor).webAuthenticators), OK, "always")
		start(base)
		expect(t, d.found(t, (*Doctor).webAuthenticators), OK, "always")
		enrollWebAuthenticator(t, d)
		expect(t, d.found(t, (*Doctor).webAuthenticators), OK, "always")
		var err error
		if d.Config, err = d.Config.WithBase("https://new.example.org"); err != nil {
			t.Fatal(err)
		}
		d.Now = func() time.Time { return time.Now().Add(time.Minute) }
		expect(t, d.found(t, (*Doctor).webAuthenticators), Warning, "made at another address ("+base+"): 1;")
		d.Config.AuthenticatorURL = base // moved, and left where it was
		expect(t, d.found(t, (*Doctor).webAuthenticators), OK, "always")
		d.Config.AuthenticatorURL = "https://auth.example.org"
		expect(t, d.found(t, (*Doctor).webAuthenticators), Warning, "made at another address ("+base+"): 1;")
	})
}

// enrollWebAuthenticator gives a user a web authenticator.
func enrollWebAuthenticator(t *testing.T, d *Doctor) {
	t.Helper()
	d.do(t, func(tx *store.Tx) error {
		all, err := store.Collect(tx.Tenants().All(t.Context()))
		if err != nil {
			return err
		}
		u := identity.User{Tenant: all[0].ID, ID: identity.NewID(identity.UserID), Name: "anna"}
		a := identity.Authenticator{Tenant: u.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-1", Kind: identity.AppToken, Step: 30,
			Digits: 6, Seed: []byte("seed"), AppVersion: "latchkey-web/1.0.0", Template: []byte("{}"), ActivatedAt: time.Now()}
		return errors.Join(tx.Users().Add(t.Context(), u), tx.Authenticators().Add(t.Context(), a, u.ID))
	})
}

// serveAt serves a handler by TLS on this machine, with a certificate that is good for so long, and
// makes its address the base of the doctor's configuration.
func (d *Doctor) serveAt(t *testing.T, handler http.Handler, notAfter time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	pair, roots := newCertificate(t, time.Now().Add(notAfter))
	web := httptest.NewUnstartedServer(handler)
	web.Listener.Close()
	web.Listener = l
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	web.StartTLS()
	t.Cleanup(web.Close)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if d.Config, err = d.Config.WithBase("https://localhost:" + port); err != nil {
		t.Fatal(err)
	}
	d.Config.TrustedProxies = []string{"127.0.0.1"} // what ends TLS stands before the server
	d.Roots = roots
}

// swapped is a handler that can be another one later.
type swapped struct{ atomic.Pointer[http.Handler] }

func (s *swapped) to(h http.Handler) { s.Store(&h) }

func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.Load()).ServeHTTP(w, r) }

// newServer is a server of a configuration.
func newServer(t *testing.T, c config.Config) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The server at the address must be this very installation: another one that has the same
// address, tenant and issuer is not. Without the challenge it is praised. The certificate is
// checked as browsers do.
func TestAddress(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		var there swapped
		there.to(http.NotFoundHandler())
		d.serveAt(t, &there, 90*24*time.Hour)
		there.to(newServer(t, d.Config).Handler())
		expect(t, d.found(t, (*Doctor).address), OK, "is this server")

		other := d.Config
		other.Database = filepath.Join(t.TempDir(), "other.db")
		other.KeysFile = "other.keys"
		if err := server.Init(t.Context(), withDir(t, other), operator, identity.Tenant{Slug: "example", Name: "Example Hospital"}); err != nil {
			t.Fatal(err)
		}
		there.to(newServer(t, withDir(t, other)).Handler())
		expect(t, d.found(t, (*Doctor).address), Error, "is not this server")

		// The same server with another base_url, such as a node whose configuration differs.
		elsewhere, err := d.Config.WithBase("https://other.example.org")
		if err != nil {
			t.Fatal(err)
		}
		there.to(newServer(t, elsewhere).Handler())
		expect(t, d.found(t, (*Doctor).address), Error, "with another base_url")

		ours := newServer(t, d.Config).Handler()
		there.to(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		expect(t, d.found(t, (*Doctor).address), Error, "502")
		there.to(ours)
		database := d.Database
		d.Database = nil
		expect(t, d.found(t, (*Doctor).address), Warning, "cannot be told without its database")
		d.Database = database
		for _, tt := range []struct {
			goodFor time.Duration
			level   Level
			text    string
		}{
			{10 * 24 * time.Hour, Warning, "its certificate is good for 9 days"},
			{25 * time.Hour, Error, "1 day"},
			{-time.Hour, Error, "is refused"},
		} {
			var again swapped
			again.to(http.NotFoundHandler())
			d.serveAt(t, &again, tt.goodFor)
			again.to(newServer(t, d.Config).Handler())
			expect(t, d.found(t, (*Doctor).address), tt.level, tt.text)
		}
		if d.Config, err = d.Config.WithBase("http://localhost:1"); err != nil {
			t.Fatal(err)
		}
		expect(t, d.found(t, (*Doctor).address), Error, "nobody answers")
	})
}

// withDir puts the configuration of another installation into a folder of its own.
func withDir(t *testing.T, c config.Config) config.Config {
	t.Helper()
	base := c.BaseURL
	moved := config.Default(filepath.Join(filepath.Dir(c.Database), "other"))
	moved.Database, moved.KeysFile, moved.TrustedProxies = c.Database, c.KeysFile, c.TrustedProxies
	moved, err := moved.WithBase(base)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// The web authenticator is requested at its separate address. With a proxy that does not pass on the
// Host header, the base answers there and redirects to the same address. Another server's is not
// praised.
func TestAddressOfItsOwn(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		var there swapped
		there.to(http.NotFoundHandler())
		web := httptest.NewServer(&there)
		t.Cleanup(web.Close)
		base := d.Config
		d.Config.AuthenticatorURL = web.URL
		expect(t, d.found(t, (*Doctor).authenticatorAddress), Error, "no web authenticator")
		ours := newServer(t, d.Config).Handler()
		there.to(ours)
		expect(t, d.found(t, (*Doctor).authenticatorAddress), OK, "is at "+web.URL)

		other := withDir(t, config.Config{BaseURL: base.BaseURL, Database: filepath.Join(t.TempDir(), "other.db"), KeysFile: "other.keys"})
		if err := server.Init(t.Context(), other, operator, identity.Tenant{Slug: "example", Name: "Example Hospital"}); err != nil {
			t.Fatal(err)
		}
		other.AuthenticatorURL = web.URL
		there.to(newServer(t, other).Handler())
		expect(t, d.found(t, (*Doctor).authenticatorAddress), Error, "is not this server's")

		there.to(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Host = "localhost:8080" // a proxy that names the base instead of what was asked for
			ours.ServeHTTP(w, r)
		}))
		expect(t, d.found(t, (*Doctor).authenticatorAddress), Error, "leads back to itself")
		web.Close()
		expect(t, d.found(t, (*Doctor).authenticatorAddress), Error, "nobody answers")
	})
}

// newCertificate returns a certificate for localhost, and a pool that trusts it.
func newCertificate(t *testing.T, notAfter time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: notAfter, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// A check that fails hides none of the others.
func TestExamine(t *testing.T) {
	newDoctor(t, func(t *testing.T, d *Doctor) {
		if err := d.Database.Close(); err != nil {
			t.Fatal(err)
		}
		checks := make(map[string]Level)
		for _, f := range d.Examine(t.Context()) {
			checks[f.Check] = f.Level
		}
		for _, want := range []string{"configuration", "clock", "files", "disk", "database", "keys", "mail", "address", "push services"} {
			if checks[want] == "" {
				t.Errorf("nothing about %q in %v", want, checks)
			}
		}
		if checks["database"] != Error {
			t.Errorf("a closed database is %q", checks["database"])
		}
	})
}

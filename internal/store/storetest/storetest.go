// Package storetest sets up real databases for the tests of packages that use
// store: always SQLite, in a file of its own, and PostgreSQL, in a database of
// its own, when TEST_POSTGRES names a server. There is no pretended
// database: what must happen once is decided by SQL, and only SQL can tell
// whether it does.
package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

// A Fixture is a database with a tenant, a user and an application in it.
type Fixture struct {
	DB          *store.DB
	Clock       *Clock
	Tenant      identity.Tenant
	User        identity.User
	Application identity.Application
	Who         identity.Principal

	Source string // see store.Options
	Keys   *store.Keyring
}

// A Clock is the time a database goes by. It stands still until it is moved,
// so that a test decides in which second, or time step, things happen.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Each runs f in a fixture of its own on every database at hand.
func Each(t *testing.T, f func(t *testing.T, h *Fixture)) {
	t.Helper()
	EachMigrated(t, func(t *testing.T, source string) { f(t, newFixture(t, source)) })
}

// EachMigrated runs f with the source of every database at hand, each with all its
// tables and nothing in them, for fixtures of another kind.
func EachMigrated(t *testing.T, f func(t *testing.T, source string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, MigratedSQLite(t)) })
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) { f(t, testdb.Postgres(t, dsn, migrate)) })
	}
}

// MigratedSQLite is EachMigrated's source on SQLite alone.
func MigratedSQLite(t testing.TB) (source string) { return testdb.SQLite(t, migrate) }

// EachSource runs f with the source of every database at hand, each empty.
func EachSource(t *testing.T, f func(t *testing.T, source string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, filepath.Join(t.TempDir(), "t.db")) })
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) { f(t, testdb.EmptySchema(t, dsn)) })
	}
}

// Empty returns a source of each kind of database at hand, with nothing in it.
func Empty(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{"sqlite": filepath.Join(t.TempDir(), "t.db")}
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		sources["postgres"] = testdb.EmptySchema(t, dsn)
	}
	return sources
}

// SQLite returns a fixture on SQLite alone, for what does not depend on the
// database.
func SQLite(t *testing.T) *Fixture {
	t.Helper()
	return newFixture(t, MigratedSQLite(t))
}

// migrate is for the database that tests get copies of.
func migrate(ctx context.Context, source string) error {
	db, err := store.Open(ctx, store.Options{Source: source, Keys: store.NewKeyring(), Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

// newFixture opens a database that has all its tables and nothing in them.
func newFixture(t *testing.T, source string) *Fixture {
	t.Helper()
	h := &Fixture{Source: source, Keys: store.NewKeyring(), Clock: &Clock{now: time.Now().UTC().Truncate(time.Minute)}}
	h.DB = h.Node(t)
	if err := h.DB.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Tenant = identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital", HelpContact: "help@example.org"}
	h.Who = identity.Principal{Tenant: h.Tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"}
	h.User = identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna.berg", Mail: "anna@example.org"}
	h.Application = identity.Application{Tenant: h.Tenant.ID, ID: identity.NewID(identity.ApplicationID), Name: "Payroll",
		Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Tenants().Add(t.Context(), h.Tenant); err != nil {
			return err
		}
		if err := tx.Users().Add(t.Context(), h.User); err != nil {
			return err
		}
		return tx.Applications().Add(t.Context(), h.Application)
	})
	return h
}

// Node opens the fixture's database once more, as another node of a cluster or a
// command beside the server does.
func (h *Fixture) Node(t *testing.T) *store.DB {
	t.Helper()
	// Many tests at once make a machine slow; what is asked here is never how long a
	// transaction takes.
	options := store.Options{Source: h.Source, Keys: h.Keys, Now: h.Clock.Now, Timeout: time.Minute}
	if h.IsSQLite() {
		var asked queries
		options.Observe = asked.observe
		t.Cleanup(func() {
			scans, err := asked.fullScans(context.WithoutCancel(t.Context()), h.Source)
			if err != nil {
				t.Error(err)
			}
			for _, scan := range scans {
				t.Errorf("a query reads all rows where it should use an index: %s", scan)
			}
		})
	}
	db, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Do runs f in a transaction that must succeed.
func (h *Fixture) Do(t *testing.T, f func(tx *store.Tx) error) {
	t.Helper()
	if err := h.DB.InTx(t.Context(), h.Who, f); err != nil {
		t.Fatal(err)
	}
}

// Journey starts a journey of the fixture's user from a browser.
func (h *Fixture) Journey(t *testing.T, browser string) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: h.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID,
		Protocol: identity.SAML, Request: []byte(`{}`), Browser: browser, Fingerprint: "Firefox, Linux", IP: h.Who.IP, UserID: h.User.ID, Name: h.User.Name,
		StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// Authenticator gives the fixture's user an active app token on Android with
// push on.
func (h *Fixture) Authenticator(t *testing.T, name string) identity.Authenticator {
	t.Helper()
	now, id := h.Clock.Now(), identity.NewID(identity.AuthenticatorID)
	a := identity.Authenticator{Tenant: h.Tenant.ID, ID: id, Serial: "LK-" + id[4:12], Kind: identity.AppToken, Name: name,
		Platform: identity.Android, Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, LastStep: -1,
		Capabilities: []string{"presence:none", "presence:enter"}, Template: []byte(`{}`),
		EnrolledAt: now, ActivatedAt: now, PushOnAt: now}
	copy(a.Seed, id[4:]) // no two have one seed
	h.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), a, h.User.ID) })
	return a
}

// Race calls f n times at once and reports how often it succeeded; any error
// but a Conflict fails the test.
func Race(t *testing.T, n int, f func(i int) error) int {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			switch err := f(i); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, identity.Conflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

// LockedUntil is until when a counter is locked; zero when it is not.
func (h *Fixture) LockedUntil(t testing.TB, counter store.FailureCounter) time.Time {
	t.Helper()
	p, err := h.DB.Users().LoginState(t.Context(), counter.Tenant, counter.User, counter.Browser, h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p.LockedUntil(counter, h.Clock.Now())
}

// IsSQLite reports whether the fixture's database is a file.
func (h *Fixture) IsSQLite() bool { return !strings.Contains(h.Source, "://") }

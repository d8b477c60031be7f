// Package storetest has real databases for tests: always SQLite, in a file of its
// own, and PostgreSQL, in a schema of its own, if TEST_POSTGRES names a server. There
// is no mock: what must happen once is decided by SQL, so only a database can show
// whether it does.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
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

// A Clock is the time of a database. It stands still until a test advances it, so
// that the test decides in which second, or time step, things happen.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance advances the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Each calls run with a new fixture on each available database.
func Each(t *testing.T, run func(t *testing.T, f *Fixture)) {
	t.Helper()
	EachSource(t, func(t *testing.T, source string) { run(t, newFixture(t, source)) })
}

// EachSource calls run with the source of each available database, all of them empty.
func EachSource(t *testing.T, run func(t *testing.T, source string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { run(t, filepath.Join(t.TempDir(), "t.db")) })
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) { run(t, freshSchema(t, dsn)) })
	}
}

// Empty returns the sources of the available databases, by kind, all of them empty.
func Empty(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{"sqlite": filepath.Join(t.TempDir(), "t.db")}
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		sources["postgres"] = freshSchema(t, dsn)
	}
	return sources
}

// SQLite returns a fixture on SQLite, for tests that do not depend on the database.
func SQLite(t *testing.T) *Fixture {
	t.Helper()
	return newFixture(t, filepath.Join(t.TempDir(), "t.db"))
}

// migratedFile returns an SQLite database with all tables and no rows. Running every
// migration in each of a thousand tests, under the race detector, would take much of
// their time.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "latchkey-migrated")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "t.db")
	db, err := store.Open(context.Background(), store.Options{Source: source, Keys: store.NewKeyring(), Now: time.Now})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return nil, err
	}
	raw, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	// The rows that an installation has one of are sealed by its own key, so each
	// database creates them itself.
	_, errVAPID := raw.Exec("DELETE FROM vapid_keys")
	_, errWAL := raw.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(errVAPID, errWAL, raw.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(source)
})

func newFixture(t *testing.T, source string) *Fixture {
	t.Helper()
	if !strings.Contains(source, "://") {
		empty, err := migratedFile()
		if err == nil {
			err = os.WriteFile(source, empty, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f := &Fixture{Source: source, Keys: store.NewKeyring(), Clock: &Clock{now: time.Now().UTC().Truncate(time.Minute)}}
	f.DB = f.Node(t)
	if err := f.DB.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Tenant = identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital", HelpContact: "help@example.org"}
	f.Who = identity.Principal{Tenant: f.Tenant.ID, Kind: identity.Browser, IP: "192.0.2.17"}
	f.User = identity.User{Tenant: f.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "anna.berg", Mail: "anna@example.org"}
	f.Application = identity.Application{Tenant: f.Tenant.ID, ID: identity.NewID(identity.ApplicationID), Name: "Payroll",
		Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}
	f.Do(t, func(tx *store.Tx) error {
		if err := tx.Tenants().Add(t.Context(), f.Tenant); err != nil {
			return err
		}
		if err := tx.Users().Add(t.Context(), f.User); err != nil {
			return err
		}
		return tx.Applications().Add(t.Context(), f.Application)
	})
	return f
}

// Node opens the fixture's database again, like another node of a cluster or a
// command beside the server.
func (f *Fixture) Node(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Source: f.Source, Keys: f.Keys, Now: f.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		scans, err := db.FullScans(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Error(err)
		}
		for _, w := range scans {
			t.Errorf("a query reads all where it should find: %s", w)
		}
		db.Close()
	})
	return db
}

// Do calls do in a transaction that must succeed.
func (f *Fixture) Do(t *testing.T, do func(tx *store.Tx) error) {
	t.Helper()
	if err := f.DB.InTx(t.Context(), f.Who, do); err != nil {
		t.Fatal(err)
	}
}

// Journey starts a journey of the fixture's user from a browser.
func (f *Fixture) Journey(t *testing.T, browser string) *identity.Journey {
	t.Helper()
	now := f.Clock.Now()
	j := &identity.Journey{Tenant: f.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: f.Application.ID,
		Protocol: identity.SAML, Request: []byte(`{}`), Browser: browser, IP: f.Who.IP, UserID: f.User.ID, Name: f.User.Name,
		StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	f.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// Authenticator gives the fixture's user an active app token on Android with
// push on.
func (f *Fixture) Authenticator(t *testing.T, name string) identity.Authenticator {
	t.Helper()
	now, id := f.Clock.Now(), identity.NewID(identity.AuthenticatorID)
	a := identity.Authenticator{Tenant: f.Tenant.ID, ID: id, Serial: "LK-" + id[4:12], Kind: identity.AppToken, Name: name,
		Platform: identity.Android, Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, LastStep: -1,
		Capabilities: []string{"presence:none", "presence:enter"}, Template: []byte(`{}`),
		EnrolledAt: now, ActivatedAt: now, PushOnAt: now}
	copy(a.Seed, id[4:]) // all seeds differ
	f.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), a, f.User.ID) })
	return a
}

// Race calls f n times at once and returns how often it succeeded. Any error but a
// Conflict fails the test.
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

func freshSchema(t *testing.T, dsn string) string {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text())
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.ExecContext(context.WithoutCancel(t.Context()), "DROP SCHEMA "+name+" CASCADE")
		admin.Close()
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// LockedUntil returns until when a failure counter is locked; zero if it is not.
func (f *Fixture) LockedUntil(t testing.TB, counter store.FailureCounter) time.Time {
	t.Helper()
	p, err := f.DB.Users().LoginState(t.Context(), counter.Tenant, counter.User, counter.Browser, f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p.LockedUntil(counter, f.Clock.Now())
}

package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

// each runs f against every database at hand: always SQLite, in a file of its
// own, and PostgreSQL, in a database of its own, when TEST_POSTGRES names a server.
func each(t *testing.T, f func(t *testing.T, db *DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, open(t, testdb.SQLite(t, migrate))) })
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) { f(t, open(t, testdb.Postgres(t, dsn, migrate))) })
	}
}

// migrate is for the database that tests get copies of.
func migrate(ctx context.Context, source string) error {
	db, err := Open(ctx, Options{Source: source, Keys: NewKeyring()})
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

func open(t testing.TB, source string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Source: source, Keys: NewKeyring(), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// fixture is a tenant with one user and one application.
type fixture struct {
	tenant identity.Tenant
	user   identity.User
	app    identity.Application
	who    identity.Principal
}

func newFixture(t testing.TB, db *DB) fixture {
	t.Helper()
	h := fixture{tenant: identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital"}}
	h.who = identity.Principal{Tenant: h.tenant.ID, Kind: identity.CommandLine, Name: "test"}
	h.user = identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: "Anna.Berg", Mail: "anna@example.org"}
	h.app = identity.Application{Tenant: h.tenant.ID, ID: identity.NewID(identity.ApplicationID), Name: "Payroll",
		Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}
	err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
		if err := tx.Tenants().Add(t.Context(), h.tenant); err != nil {
			return err
		}
		if err := tx.Users().Add(t.Context(), h.user); err != nil {
			return err
		}
		return tx.Applications().Add(t.Context(), h.app)
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// race calls f 100 times at once and reports how often it succeeded; any error
// but a Conflict fails the test.
func race(t *testing.T, f func() error) int {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			switch err := f(); {
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

func TestUseOnce_OneOfAHundredWins(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		until := time.Now().Add(time.Minute)
		won := race(t, func() error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error {
				return tx.UseOnce(t.Context(), h.tenant.ID, "jti", "k", until)
			})
		})
		if won != 1 {
			t.Errorf("%d of 100 used the same key, want 1", won)
		}
		// Another tenant's key of the same name is another key.
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			return tx.UseOnce(t.Context(), "ten_other", "jti", "k", until)
		})
		if err != nil {
			t.Errorf("the same key in another tenant: %v", err)
		}
	})
}

// A use whose transaction fails was no use.
func TestUseOnce_SharesTheFateOfItsEffect(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		use := func(fail error) error {
			return db.InTx(t.Context(), h.who, func(tx *Tx) error {
				if err := tx.UseOnce(t.Context(), h.tenant.ID, "jti", "k", time.Now().Add(time.Minute)); err != nil {
					return err
				}
				return fail
			})
		}
		broken := errors.New("the effect failed")
		if err := use(broken); !errors.Is(err, broken) {
			t.Fatalf("got %v, want %v", err, broken)
		}
		if err := use(nil); err != nil {
			t.Errorf("the key was used up by a transaction that failed: %v", err)
		}
	})
}

func TestEventSharesTheFateOfItsChange(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			if err := tx.Users().SetLanguage(t.Context(), h.tenant.ID, h.user.ID, "de"); err != nil {
				return err
			}
			return tx.Event(t.Context(), audit.Event{Kind: "no.such.kind"})
		})
		if err == nil {
			t.Fatal("an event of an unknown kind was written")
		}
		u, err := db.Users().Get(t.Context(), h.tenant.ID, h.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		if u.Language != "" {
			t.Errorf("the change stands without its event: language %q", u.Language)
		}
		err = db.InTx(t.Context(), h.who, func(tx *Tx) error {
			return tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged, User: h.user.ID, Data: map[string]string{"language": "de"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		events, err := Collect(db.Events().List(t.Context(), h.tenant.ID, EventFilter{User: h.user.ID}))
		if err != nil {
			t.Fatal(err)
		}
		if len(events) != 1 || events[0].Kind != audit.UserChanged || events[0].Data["language"] != "de" || events[0].Actor.Name != "test" {
			t.Errorf("events: %+v", events)
		}
	})
}

// The events of a transaction are written when it commits. If they cannot be, nothing of the
// transaction stays; without the call of writeEvents there would be a change and no record.
func TestEventsThatCannotBeWrittenUndoTheChange(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			if err := tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged, User: h.user.ID}); err != nil {
				return err
			}
			if err := tx.Users().SetLanguage(t.Context(), h.tenant.ID, h.user.ID, "de"); err != nil {
				return err
			}
			_, err := tx.exec(t.Context(), "have no events", `ALTER TABLE events RENAME TO elsewhere`)
			return err
		})
		if err == nil {
			t.Error("the transaction committed without its event")
		}
		if u, err := db.Users().Get(t.Context(), h.tenant.ID, h.user.ID); err != nil || u.Language != "" {
			t.Errorf("language %q, %v: the change stands without its event", u.Language, err)
		}
	})
}

// However many events a transaction records, they are listed in the order in which they were
// recorded, though they are of one millisecond. Without the sorted ids they come in any order.
func TestEventsOfATransactionAreInOrder(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		for _, n := range []int{1, 2, 5, 19, 20, 47} {
			journey := "jrn_" + strconv.Itoa(n)
			var want []string
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
				for i := range n {
					want = append(want, strconv.Itoa(i))
					e := audit.Event{Kind: audit.UserChanged, Journey: journey, Data: map[string]string{"n": strconv.Itoa(i)}}
					if err := tx.Event(t.Context(), e); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			all, err := Collect(db.Events().List(t.Context(), h.tenant.ID, EventFilter{Journey: journey, Oldest: true}))
			if err != nil {
				t.Fatal(err)
			}
			slices.SortStableFunc(all, func(a, b audit.Event) int { return strings.Compare(a.ID, b.ID) }) // as of one millisecond
			var got []string
			for _, e := range all {
				got = append(got, e.Data["n"])
			}
			if !slices.Equal(got, want) {
				t.Errorf("of %d: %v", n, got)
			}
		}
	})
}

func TestUserByName_FoldsNames(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		for _, name := range []string{"anna.berg", " ANNA.BERG ", "ａｎｎａ.berg"} {
			if u, err := db.Users().ByName(t.Context(), h.tenant.ID, name); err != nil || u.ID != h.user.ID {
				t.Errorf("UserByName(%q) = %s, %v", name, u.ID, err)
			}
		}
		if _, err := db.Users().ByName(t.Context(), h.tenant.ID, "nobody"); !errors.Is(err, identity.NotFound) {
			t.Errorf("got %v, want not found", err)
		}
		if _, err := db.Users().ByName(t.Context(), "ten_other", "anna.berg"); !errors.Is(err, identity.NotFound) {
			t.Errorf("another tenant finds the user: %v", err)
		}
	})
}

func TestADM5_EventsAreNotYetSealed(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error { return tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged}) })
		if err != nil {
			t.Fatal(err)
		}
		var unsealed int
		err = db.pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM events WHERE tenant_id = $1 AND seq IS NULL AND mac IS NULL`, h.tenant.ID).Scan(&unsealed)
		if err != nil || unsealed != 1 {
			t.Errorf("%d events without a place in the chain, %v; want 1", unsealed, err)
		}
	})
}

func TestWakeReachesSubscribersAfterCommit(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		woken, stop := db.Subscribe("journey:x")
		defer stop()
		err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
			tx.Notify("journey:x")
			return tx.Users().SetLanguage(t.Context(), h.tenant.ID, h.user.ID, "de")
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Error("not woken")
		}
	})
}

// A commit wakes those it concerns. Were our own commits taken for another
// process's, each would wake every page that waits, and thousands may.
func TestWakeLeavesOthersAsleep(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		woken, stop := db.Subscribe("journey:x")
		defer stop()
		time.Sleep(600 * time.Millisecond) // until it watches
		select {
		case <-woken:
		default:
		}
		for range 3 {
			err := db.InTx(t.Context(), h.who, func(tx *Tx) error {
				tx.Notify("journey:y")
				return tx.Users().SetLanguage(t.Context(), h.tenant.ID, h.user.ID, "de")
			})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-woken:
				t.Fatal("woken by what concerns another")
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
}

// Two handles on one database stand for two nodes, or a command beside the
// server.
func TestWakeReachesOtherNodes(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		h := newFixture(t, db)
		other, err := Open(t.Context(), Options{Source: sourceOf(t, db), Keys: db.keys.ring})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		woken, stop := other.Subscribe("journey:x")
		defer stop()
		time.Sleep(600 * time.Millisecond) // until the other node listens
		select {
		case <-woken:
		default:
		}
		start := time.Now()
		err = db.InTx(t.Context(), h.who, func(tx *Tx) error {
			tx.Notify("journey:x")
			return tx.Users().SetLanguage(t.Context(), h.tenant.ID, h.user.ID, "de")
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
			if took := time.Since(start); took > time.Second {
				t.Errorf("woken after %v", took)
			}
		case <-time.After(5 * time.Second):
			t.Error("not woken")
		}
	})
}

func sourceOf(t *testing.T, db *DB) string {
	t.Helper()
	if p, ok := db.dialect.(postgres); ok {
		return p.config.ConnString()
	}
	var seq int
	var name, file string
	if err := db.pool.QueryRowContext(t.Context(), `PRAGMA database_list`).Scan(&seq, &name, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestMigrate_RefusesADatabaseOfANewerRelease(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		if _, err := db.writer.ExecContext(t.Context(), `UPDATE meta SET value = '99' WHERE name = 'least release'`); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); !errors.Is(err, ErrTooOld) {
			t.Errorf("got %v, want %v", err, ErrTooOld)
		}
	})
}

func TestOpen_GarbageIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{Source: path, Keys: NewKeyring()})
	if err == nil {
		err = db.Migrate(t.Context())
		db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("got %v, want an error that says it is not a database", err)
	}
}

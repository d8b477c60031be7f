package server

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

var hospital = identity.Tenant{Slug: "example", Name: "Example Hospital"}

// onDatabase is the configuration of a new folder, below one that is not there either.
func onDatabase(t *testing.T, source string) config.Config {
	t.Helper()
	c := config.Default(filepath.Join(t.TempDir(), "not", "there"))
	c.Database = source
	return c
}

// rawDatabase opens a database without our tables or rules.
func rawDatabase(t *testing.T, source string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.Contains(source, "://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// rowsOf counts the rows of some tables.
func rowsOf(t *testing.T, source string) map[string]int {
	t.Helper()
	raw, counts := rawDatabase(t, source), make(map[string]int)
	for _, table := range []string{"tenants", "data_keys", "signing_keys", "vapid_keys", "meta", "events", "goose_db_version"} {
		var n int
		if err := raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

// A database that belongs to an installation is refused, by its tenant or by the key
// that somebody else's root sealed, and says what to do; nothing in it changes, and
// nothing is left of the folder. Without CheckNew each of these makes a second tenant, or
// keys that open nothing.
func TestInit_RefusesAnInstallation(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		first := onDatabase(t, source)
		if err := Init(t.Context(), first, operator, hospital); err != nil {
			t.Fatal(err)
		}
		before := rowsOf(t, source)
		refused := func(c config.Config, opens bool, says string) {
			t.Helper()
			err := Init(t.Context(), c, operator, identity.Tenant{Slug: "other", Name: "Other"})
			there, ok := errors.AsType[*InstalledError](err)
			if !ok || there.Opens() != opens || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "latchkey init --join") {
				t.Errorf("got %v, want an InstalledError with %q", err, says)
			}
			if after := rowsOf(t, source); !maps.Equal(after, before) {
				t.Errorf("rows: %v, were %v", after, before)
			}
		}
		none := onDatabase(t, source)
		refused(none, false, "its keys are not here")
		if _, err := os.Stat(filepath.Dir(none.Dir())); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a refused init left a folder: %v", err)
		}
		others := onDatabase(t, source)
		makeKeys(t, others)
		refused(others, false, "does not hold its keys: data key 1 of tenant example was sealed with another root 1")
		same := onDatabase(t, source)
		copyKeys(t, first, same)
		refused(same, true, "whose keys are here")

		// A database without a tenant, in which another init has begun.
		for _, table := range []string{"events", "signing_keys", "applications", "data_keys", "tenants"} {
			if _, err := rawDatabase(t, source).ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
				t.Fatal(err)
			}
		}
		before = rowsOf(t, source)
		refused(others, false, "the key for Web Push was sealed with another root 1")
		if err := Init(t.Context(), same, operator, hospital); err != nil {
			t.Errorf("with the keys of the one that was cut short: %v", err)
		}
	})
}

func makeKeys(t *testing.T, c config.Config) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(c.Dir(), 0o700), c.MakeKeys()); err != nil {
		t.Fatal(err)
	}
}

func copyKeys(t *testing.T, from, to config.Config) {
	t.Helper()
	text, err := os.ReadFile(from.Path(from.KeysFile))
	if err == nil {
		err = errors.Join(os.MkdirAll(to.Dir(), 0o700), os.WriteFile(to.Path(to.KeysFile), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A further node has a configuration once its keys open what is in the database.
func TestJoin(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		first := onDatabase(t, source)
		next := onDatabase(t, source)
		makeKeys(t, next)
		if first.Postgres() {
			if err := Join(t.Context(), next); err == nil || !strings.Contains(err.Error(), "belongs to no installation") {
				t.Errorf("an empty database: %v", err)
			}
		} else if err := Join(t.Context(), next); err == nil || !strings.Contains(err.Error(), "there is no database at") {
			t.Errorf("no database: %v", err)
		}
		if err := Init(t.Context(), first, operator, hospital); err != nil {
			t.Fatal(err)
		}
		before := rowsOf(t, source)
		if err := Join(t.Context(), onDatabase(t, source)); err == nil || !strings.Contains(err.Error(), "there are no keys: copy") {
			t.Errorf("no keys: %v", err)
		}
		err := Join(t.Context(), next)
		if _, ok := errors.AsType[*KeysError](err); !ok {
			t.Errorf("other keys: %v, want a KeysError", err)
		}
		if _, err := os.Stat(next.Path(config.File)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a configuration with keys that open nothing: %v", err)
		}
		copyKeys(t, first, next)
		if err := Join(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if after := rowsOf(t, source); !maps.Equal(after, before) {
			t.Errorf("rows: %v, were %v", after, before)
		}
		s, err := New(t.Context(), next, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("it does not serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An init that fails in the middle of the migrations, or at the very end, leaves nothing:
// no folder, no keys, no tables; and what was there before stays. Without undo each of
// these fails.
func TestInit_LeavesNothingBehind(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		t.Run("a migration", func(t *testing.T) {
			raw := rawDatabase(t, source)
			for _, statement := range []string{"CREATE TABLE server_pins (theirs INTEGER)", "INSERT INTO server_pins (theirs) VALUES (7)"} {
				if _, err := raw.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			c := onDatabase(t, source)
			if err := Init(t.Context(), c, operator, hospital); err == nil || !strings.Contains(err.Error(), "server_pins") {
				t.Fatalf("Init: %v, want an error of the migration that makes server_pins", err)
			}
			if _, err := os.Stat(filepath.Dir(c.Dir())); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a folder is left: %v", err)
			}
			if left := ownTables(t, source); !slices.Equal(left, []string{"server_pins"}) {
				t.Errorf("tables: %v, want the one that was there", left)
			}
			var n int
			if err := raw.QueryRowContext(t.Context(), "SELECT theirs FROM server_pins").Scan(&n); err != nil || n != 7 {
				t.Errorf("the row that was there: %d, %v", n, err)
			}
			if _, err := raw.ExecContext(t.Context(), "DROP TABLE server_pins"); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("the configuration", func(t *testing.T) {
			c := onDatabase(t, source)
			if err := os.MkdirAll(c.Dir(), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("nowhere", c.Path(config.File)); err != nil {
				t.Fatal(err)
			}
			if err := Init(t.Context(), c, operator, hospital); !errors.Is(err, fs.ErrExist) {
				t.Fatalf("Init: %v, want fs.ErrExist", err)
			}
			left, err := os.ReadDir(c.Dir())
			if err != nil || len(left) != 1 {
				t.Errorf("in the folder: %v, %v, want what was there", left, err)
			}
			if left := ownTables(t, source); len(left) > 0 {
				t.Errorf("tables: %v", left)
			}
		})
		if !strings.Contains(source, "://") {
			t.Run("a new file", func(t *testing.T) {
				c := onDatabase(t, "latchkey.db")
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := Init(ctx, c, operator, hospital); err == nil {
					t.Fatal("Init succeeded")
				}
				if _, err := os.Stat(filepath.Dir(c.Dir())); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a folder is left: %v", err)
				}
			})
		}
		c := onDatabase(t, source)
		if err := Init(t.Context(), c, operator, hospital); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func ownTables(t *testing.T, source string) []string {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Source: source, Keys: store.NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names, err := db.OwnTables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Of several inits of one database at once, one makes the installation, and it works: the
// others leave it alone. Without theirs in undo they drop its tables.
func TestInit_AtOnce(t *testing.T) {
	source := storetest.Empty(t)["postgres"]
	if source == "" {
		t.Skip("TEST_POSTGRES names no server")
	}
	for range 3 {
		folders := make([]config.Config, 4)
		for i := range folders {
			folders[i] = onDatabase(t, source)
		}
		errs := make([]error, len(folders))
		var all sync.WaitGroup
		for i, c := range folders {
			all.Go(func() { errs[i] = Init(t.Context(), c, operator, hospital) })
		}
		all.Wait()
		made := 0
		for i, err := range errs {
			if err != nil {
				if _, err := os.Stat(folders[i].Path(folders[i].KeysFile)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("keys of a failed init are left: %v", err)
				}
				continue
			}
			made++
			s, err := New(t.Context(), folders[i], slog.New(slog.DiscardHandler))
			if err != nil {
				t.Errorf("the one that was made does not serve: %v", err)
				continue
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d of %d made an installation: %v", made, len(errs), errs)
		}
		source = storetest.Empty(t)["postgres"]
	}
}

// A server refuses keys that are not those of the database. Without the check it starts,
// and answers every login with an internal error.
func TestNew_OtherKeys(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		c := onDatabase(t, source)
		if err := Init(t.Context(), c, operator, hospital); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"another file": store.NewKeyring().Encode(), "without the root": strings.Replace(store.NewKeyring().Encode(), "\n1 ", "\n2 ", 1)} {
			if err := os.WriteFile(c.Path(c.KeysFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
			if wrong, ok := errors.AsType[*KeysError](err); !ok || wrong.Keys != c.Path(c.KeysFile) || !strings.Contains(err.Error(), "Put back the keys") {
				t.Errorf("%s: %v, want a KeysError that says what to do", name, err)
			}
		}
	})
}

// readyAnswer is what /readyz answers now.
func readyAnswer(t *testing.T, s *Server) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	s.health(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	return w.Code, w.Body.String()
}

// A tenant whose keys do not open makes a node not ready: one that was added with other
// keys, say. Without checkKeys in ready it is.
func TestReadiness_Keys(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		c := onDatabase(t, source)
		if err := Init(t.Context(), c, operator, hospital); err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if status, text := readyAnswer(t, s); status != http.StatusOK {
			t.Fatalf("before: %d %s", status, text)
		}
		other, err := store.Open(t.Context(), store.Options{Source: source, Keys: store.NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := admin.AddTenant(t.Context(), other, operator, identity.Tenant{Slug: "other", Name: "Other"}); err != nil {
			t.Fatal(err)
		}
		if status, text := readyAnswer(t, s); status != http.StatusServiceUnavailable || text != "the keys do not open what is in the database\n" {
			t.Errorf("with a tenant of other keys: %d %s", status, text)
		}
	})
}

// clockOff makes a PostgreSQL database whose clock is off, and returns its source: its
// schema has a clock_timestamp of its own, which stands before the system's.
func clockOff(t *testing.T, by time.Duration) string {
	t.Helper()
	source := storetest.Empty(t)["postgres"]
	if source == "" {
		t.Skip("TEST_POSTGRES names no server")
	}
	_, err := rawDatabase(t, source).ExecContext(t.Context(), `CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql
		AS 'SELECT pg_catalog.clock_timestamp() + interval ''`+by.String()+`'''`)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", q.Get("search_path")+",pg_catalog")
	u.RawQuery = q.Encode()
	return u.String()
}

// A node compares its clock with the database's, either way: beyond 5 s it logs that, and
// beyond 20 s it is not ready. Without clocksAgree in ready the last ones are.
func TestReadiness_Clock(t *testing.T) {
	for _, tt := range []struct {
		name   string
		off    time.Duration
		status int
		logs   string
	}{
		{"a little ahead", -3 * time.Second, http.StatusOK, ""},
		{"ahead", -10 * time.Second, http.StatusOK, "level=WARN"},
		{"behind", 10 * time.Second, http.StatusOK, "level=WARN"},
		{"far ahead", -60 * time.Second, http.StatusServiceUnavailable, "level=ERROR"},
		{"far behind", 60 * time.Second, http.StatusServiceUnavailable, "level=ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := onDatabase(t, clockOff(t, tt.off))
			if err := Init(t.Context(), c, operator, hospital); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			status, text := readyAnswer(t, s)
			if status != tt.status || status != http.StatusOK && text != "this machine's clock is too far from the database's\n" {
				t.Errorf("/readyz: %d %s, want %d", status, text, tt.status)
			}
			log.Reset()
			d, err := CompareClocks(t.Context(), s.DB, s.DB.Now)
			if err != nil || !d.Known || (d.Ahead < 0) != (tt.off > 0) {
				t.Errorf("compared: %+v, %v, want some %v", d, err, -tt.off)
			}
			if s.logClock(t.Context(), d); !strings.Contains(log.String(), tt.logs) || (log.Len() > 0) != (tt.logs != "") {
				t.Errorf("logged %q, want %q", log.String(), tt.logs)
			}
		})
	}
}

// What is wrong with a database server is said in words of ours, with what to do, and not
// waited for if waiting cannot help.
func TestWaitForDatabase(t *testing.T) {
	postgres := storetest.Empty(t)["postgres"]
	for _, tt := range []struct {
		name, source, says string
		waits              bool
	}{
		{"nothing listens", "postgres://latchkey:secret@127.0.0.1:1/latchkey", "the database at 127.0.0.1:1/latchkey: nothing listens there", true},
		{"no such name", "postgres://latchkey:secret@nowhere.invalid/latchkey", "the name nowhere.invalid cannot be looked up", true},
		{"no such database", inDatabase(t, postgres, "nowhere"), `it has no database "nowhere"`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.source == "" {
				t.Skip("TEST_POSTGRES names no server")
			}
			c := onDatabase(t, tt.source)
			c.DatabaseWait = "200ms"
			var log bytes.Buffer
			began := time.Now()
			err := WaitForDatabase(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
			waited := time.Since(began)
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "latchkey.toml") {
				t.Errorf("got %v, want %q and what to do", err, tt.says)
			}
			for _, text := range []string{err.Error(), log.String()} {
				if strings.Contains(text, "secret") || strings.Contains(text, "failed to connect") || strings.Contains(text, "dial") {
					t.Errorf("the driver's words: %s", text)
				}
			}
			if tt.waits && (waited < 200*time.Millisecond || !strings.Contains(log.String(), "waiting for the database")) {
				t.Errorf("waited %v; logged %q", waited, log.String())
			}
			if !tt.waits && log.Len() > 0 {
				t.Errorf("it waited for what does not pass: %s", log.String())
			}
		})
	}
}

// inDatabase is a source with another database on the same server.
func inDatabase(t *testing.T, source, name string) string {
	t.Helper()
	if source == "" {
		return ""
	}
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

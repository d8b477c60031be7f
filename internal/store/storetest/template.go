package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver

	"github.com/latchkey-id/latchkey/internal/store"
)

// Running every migration anew for each of a thousand tests is most of what they
// would do. So each kind of database is migrated once, and tests get copies: of a
// file on SQLite, by CREATE DATABASE … TEMPLATE on PostgreSQL.

// copySQLite returns the path of a new SQLite database that has all its tables
// and nothing in them.
func copySQLite(t *testing.T) (source string) {
	t.Helper()
	source = filepath.Join(t.TempDir(), "t.db")
	template, err := sqliteTemplate()
	if err == nil {
		err = os.WriteFile(source, template.file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return source
}

type sqliteFile struct {
	file   []byte
	schema string // a digest of its tables
}

var sqliteTemplate = sync.OnceValues(func() (template sqliteFile, err error) {
	dir, err := os.MkdirTemp("", "latchkey-migrated")
	if err != nil {
		return template, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "t.db")
	if err := migrate(context.Background(), source); err != nil {
		return template, err
	}
	raw, err := sql.Open("sqlite", source)
	if err != nil {
		return template, err
	}
	var schema string
	errSchema := raw.QueryRow("SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)").Scan(&schema)
	_, errVAPID := raw.Exec(withoutKeys)
	_, errWAL := raw.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(errSchema, errVAPID, errWAL, raw.Close()); err != nil {
		return template, err
	}
	template.schema = fmt.Sprintf("%x", sha256.Sum256([]byte(schema)))[:16]
	template.file, err = os.ReadFile(source)
	return template, err
})

// withoutKeys removes what an installation has one of: it is sealed by the
// installation's own key, so each makes it anew.
const withoutKeys = "DELETE FROM vapid_keys"

func migrate(ctx context.Context, source string) error {
	db, err := store.Open(ctx, store.Options{Source: source, Keys: store.NewKeyring(), Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

// copyPostgres returns the source of a new PostgreSQL database that has all its
// tables and nothing in them, and drops it with the test.
func copyPostgres(t *testing.T, dsn string) (source string) {
	t.Helper()
	template, err := postgresTemplate(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text())
	execute(t, dsn, "CREATE DATABASE "+name+" TEMPLATE "+template, "DROP DATABASE "+name+" WITH (FORCE)")
	source, err = inDatabase(dsn, name)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// freshSchema returns the source of an empty schema on PostgreSQL and drops it
// with the test.
func freshSchema(t *testing.T, dsn string) (source string) {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text())
	execute(t, dsn, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// execute runs one statement now, and another at the end of the test.
func execute(t *testing.T, dsn, now, after string) {
	t.Helper()
	admin, err := adminPool(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ExecContext(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), after); err != nil {
			t.Error(err)
		}
	})
}

var pools sync.Map // of adminPool

// adminPool returns the connections over which databases come and go.
func adminPool(dsn string) (*sql.DB, error) {
	open, _ := pools.LoadOrStore(dsn, sync.OnceValues(func() (*sql.DB, error) {
		db, err := sql.Open("pgx", dsn)
		if err == nil {
			db.SetMaxIdleConns(1)
		}
		return db, err
	}))
	return open.(func() (*sql.DB, error))()
}

func inDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

var templates sync.Map // of postgresTemplate

// postgresTemplate returns the name of the migrated database on a server. It is
// made by whichever package's tests come first and named after its tables, so
// that other packages find it, and a later run on the same server does too.
func postgresTemplate(dsn string) (string, error) {
	name, _ := templates.LoadOrStore(dsn, sync.OnceValues(func() (string, error) {
		sqlite, err := sqliteTemplate()
		if err != nil {
			return "", err
		}
		name := "latchkey_template_" + sqlite.schema
		return name, makePostgresTemplate(context.Background(), dsn, name)
	}))
	return name.(func() (string, error))()
}

func makePostgresTemplate(ctx context.Context, dsn, name string) error {
	admin, err := adminPool(dsn)
	if err != nil {
		return err
	}
	conn, err := admin.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	const lock = 20261130 // any number that nothing else here locks
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return err
	}
	defer conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock)
	var found bool
	err = conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found)
	if err != nil || found {
		return err
	}
	// It has its name only once it is whole.
	unfinished := name + "_unfinished"
	source, err := inDatabase(dsn, unfinished)
	if err != nil {
		return err
	}
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)", "CREATE DATABASE " + unfinished} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := migrate(ctx, source); err != nil {
		return err
	}
	if err := deleteKeys(ctx, source); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "ALTER DATABASE "+unfinished+" RENAME TO "+name)
	return err
}

func deleteKeys(ctx context.Context, source string) error {
	raw, err := sql.Open("pgx", source)
	if err != nil {
		return err
	}
	_, err = raw.ExecContext(ctx, withoutKeys)
	return errors.Join(err, raw.Close())
}

// Package testdb makes databases for tests: copies of one that was migrated once.
// Running every migration for each of a thousand tests would be most of what they
// do. A copy is that of a file on SQLite, and CREATE DATABASE … TEMPLATE on
// PostgreSQL.
//
// It does not know package store, so that the tests within that can use it. Others
// use package storetest.
package testdb

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

	_ "github.com/jackc/pgx/v5/stdlib" // the databases' drivers
	_ "modernc.org/sqlite"
)

// Migrate opens a database by its source (see store.Options), makes its tables and
// closes it. Callers in one process all pass the same.
type Migrate func(ctx context.Context, source string) error

// SQLite returns the path of a new SQLite database that has all its tables and
// nothing in them.
func SQLite(t testing.TB, migrate Migrate) (source string) {
	t.Helper()
	template, err := sqliteTemplate(migrate)
	if err != nil {
		t.Fatal(err)
	}
	source = filepath.Join(t.TempDir(), "t.db")
	if err := os.WriteFile(source, template.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return source
}

// Postgres returns the source of a new PostgreSQL database on the server dsn that
// has all its tables and nothing in them. It is dropped with the test.
func Postgres(t testing.TB, dsn string, migrate Migrate) (source string) {
	t.Helper()
	template, err := postgresTemplate(dsn, migrate)
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

// EmptySchema returns the source of a schema without tables on the server dsn. It
// is dropped with the test.
func EmptySchema(t testing.TB, dsn string) (source string) {
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

type sqliteFile struct {
	file   []byte
	schema string // a digest of its tables
}

var templates struct {
	sync.Mutex
	sqlite   *sqliteFile
	postgres map[string]string  // of a server: the name of the migrated database
	admins   map[string]*sql.DB // of a server: connections over which databases come and go
}

func sqliteTemplate(migrate Migrate) (*sqliteFile, error) {
	templates.Lock()
	defer templates.Unlock()
	if templates.sqlite != nil {
		return templates.sqlite, nil
	}
	made, err := makeSQLiteTemplate(migrate)
	if err == nil {
		templates.sqlite = made
	}
	return made, err
}

func makeSQLiteTemplate(migrate Migrate) (*sqliteFile, error) {
	dir, err := os.MkdirTemp("", "latchkey-migrated")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "t.db")
	if err := migrate(context.Background(), source); err != nil {
		return nil, err
	}
	raw, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	var schema string
	errSchema := raw.QueryRow("SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)").Scan(&schema)
	_, errKeys := raw.Exec(withoutKeys)
	_, errWAL := raw.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(errSchema, errKeys, errWAL, raw.Close()); err != nil {
		return nil, err
	}
	file, err := os.ReadFile(source)
	return &sqliteFile{file, fmt.Sprintf("%x", sha256.Sum256([]byte(schema)))[:16]}, err
}

// withoutKeys removes what an installation has one of: it is sealed by the
// installation's own key, so each makes it anew.
const withoutKeys = "DELETE FROM vapid_keys"

// postgresTemplate returns the name of the migrated database on a server. The
// package whose tests come first makes it. It is named after its tables, so that
// other packages find it, and a later run on the same server does too.
func postgresTemplate(dsn string, migrate Migrate) (string, error) {
	sqlite, err := sqliteTemplate(migrate)
	if err != nil {
		return "", err
	}
	admin, err := adminPool(dsn)
	if err != nil {
		return "", err
	}
	templates.Lock()
	defer templates.Unlock()
	if name, found := templates.postgres[dsn]; found {
		return name, nil
	}
	name := "latchkey_template_" + sqlite.schema
	if err := makePostgresTemplate(context.Background(), admin, dsn, name, migrate); err != nil {
		return "", err
	}
	if templates.postgres == nil {
		templates.postgres = make(map[string]string)
	}
	templates.postgres[dsn] = name
	return name, nil
}

func makePostgresTemplate(ctx context.Context, admin *sql.DB, dsn, name string, migrate Migrate) error {
	conn, err := admin.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	const lock = 20261130 // any number that nothing else here locks
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return err
	}
	err = makeLocked(ctx, conn, dsn, name, migrate)
	_, errUnlock := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock)
	return errors.Join(err, errUnlock)
}

func makeLocked(ctx context.Context, conn *sql.Conn, dsn, name string, migrate Migrate) error {
	var found bool
	err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found)
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

func inDatabase(dsn, name string) (source string, err error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// execute runs one statement now, and another at the end of the test.
func execute(t testing.TB, dsn, now, after string) {
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

func adminPool(dsn string) (*sql.DB, error) {
	templates.Lock()
	defer templates.Unlock()
	if db := templates.admins[dsn]; db != nil {
		return db, nil
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(1)
	if templates.admins == nil {
		templates.admins = make(map[string]*sql.DB)
	}
	templates.admins[dsn] = db
	return db, nil
}

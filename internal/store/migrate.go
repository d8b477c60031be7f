package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/latchkey-id/latchkey/internal/identity"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Release is the number of this program's release. A database names the lowest
// release that may open it, so that nodes can be upgraded one by one and an old node
// never writes what a newer one would misread.
const Release = 1

// Migrate brings the schema up to date, each migration in a transaction of its own.
// It refuses a database that requires a newer release. It also creates what an
// installation has one of.
func (db *DB) Migrate(ctx context.Context) error {
	ctx = onWhole(ctx)
	provider, err := db.migrator()
	if err != nil {
		return err
	}
	if err := db.tooOld(ctx); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", classify(err))
	}
	return db.InTx(ctx, identity.Principal{Kind: identity.System}, func(tx *Tx) error {
		_, err := tx.exec(ctx, "least release", `
			INSERT INTO meta (name, value) VALUES ('least release', $1) ON CONFLICT (name) DO NOTHING`,
			strconv.Itoa(Release))
		if err != nil {
			return err
		}
		return tx.VAPID().create(ctx)
	})
}

// Pending lists the migrations that Migrate would run, by file name. It returns the
// same errors.
func (db *DB) Pending(ctx context.Context) ([]string, error) {
	if err := db.tooOld(ctx); err != nil {
		return nil, err
	}
	provider, err := db.migrator()
	if err != nil {
		return nil, err
	}
	all, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: migration status: %w", classify(err))
	}
	var names []string
	for _, m := range all {
		if m.State == goose.StatePending {
			names = append(names, m.Source.Path)
		}
	}
	return names, nil
}

// newestMigration is the version of the newest migration in this program.
func newestMigration() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return 0, fmt.Errorf("store: migrations: %w", err)
	}
	return numberOf(files[len(files)-1])
}

// A step is a migration, and what it adds to the shape of the database: columns, each
// as table.column, those of new tables among them. One that adds only indexes has none.
type step struct {
	version int64
	tables  []string
	columns []string
}

var (
	createTable  = regexp.MustCompile(`(?ms)^CREATE TABLE ([a-z_]+) \(\n(.*?)^\);`)
	createColumn = regexp.MustCompile(`(?m)^\t([a-z_0-9]+) +(?:TEXT|BIGINT|BYTEA)\b`)
	addColumn    = regexp.MustCompile(`(?m)^ALTER TABLE ([a-z_]+) ADD COLUMN ([a-z_0-9]+) `)
)

// steps are all migrations of this program, in the order of their numbers. Migrations
// only add, so that a shape tells which of them it comes from; a test compares what is
// read here with the databases.
func steps() ([]step, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	var all []step
	for _, file := range files {
		n, err := numberOf(file)
		if err != nil {
			return nil, err
		}
		text, err := fs.ReadFile(migrations, file)
		if err != nil {
			return nil, fmt.Errorf("store: migrations: %w", err)
		}
		s := step{version: n}
		for _, table := range createTable.FindAllSubmatch(text, -1) {
			s.tables = append(s.tables, string(table[1]))
			for _, column := range createColumn.FindAllSubmatch(table[2], -1) {
				s.columns = append(s.columns, string(table[1])+"."+string(column[1]))
			}
		}
		for _, column := range addColumn.FindAllSubmatch(text, -1) {
			s.columns = append(s.columns, string(column[1])+"."+string(column[2]))
		}
		all = append(all, s)
	}
	return all, nil
}

// numberOf is the version of a migration, from the name of its file.
func numberOf(file string) (int64, error) {
	number, _, _ := strings.Cut(path.Base(file), "_")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("store: migrations: %w", err)
	}
	return n, nil
}

// migrator runs migrations, except for some. One that is missing is run whatever its
// number is: migrations were not always added in the order of their numbers, and a
// database that was made meanwhile has the later one without the earlier.
func (db *DB) migrator(except ...int64) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	name, options, err := db.dialect.goose()
	if err != nil {
		return nil, err
	}
	options = append(options, goose.WithAllowOutofOrder(true), goose.WithExcludeVersions(except))
	p, err := goose.NewProvider(name, db.writer, files, options...)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}

// ErrTooOld says that a newer release has changed the database in a way that this
// program does not understand.
var ErrTooOld = errors.New("the database was changed by a newer release that this one must not open; install that release")

func (db *DB) tooOld(ctx context.Context) error {
	var least string
	err := db.q.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'least release'`).Scan(&least)
	if err != nil {
		return nil // no such table or row yet: a new database
	}
	n, err := strconv.Atoi(least)
	if err != nil {
		return fmt.Errorf("store: least release %q: %w", least, err)
	}
	if n > Release {
		return fmt.Errorf("store: %w", ErrTooOld)
	}
	return nil
}

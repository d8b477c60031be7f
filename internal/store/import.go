package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Copy is a backup of a database, of this or the other kind, as far as
// filling one with it needs to know.
type Backup struct {
	Schema int64
	Least  int64
	Tables []Table
	MadeAt time.Time
	// Rows yields the rows of one table after the other, in the order of
	// Tables, each time it is called.
	Rows func(Table) iter.Seq2[[]any, error]
}

// ErrNotEmpty says that a database that is to be filled has something in it.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored into an empty one only")

// Suits refuses a copy that this program cannot fill a database with.
func (c Backup) Suits() error {
	known, err := tables(c.Schema)
	if err != nil {
		return err
	}
	newest, err := newestMigration()
	if err != nil {
		return err
	}
	if c.Schema > newest || c.Least > Release {
		return fmt.Errorf("store: the backup was made by a newer release (schema %d, this one knows %d): install that release", c.Schema, newest)
	}
	var names []string
	for _, t := range c.Tables {
		names = append(names, t.Name)
	}
	if !slices.Equal(names, known) {
		return fmt.Errorf("store: the backup holds the tables %v, and this release knows %v at schema %d", names, known, c.Schema)
	}
	return nil
}

// Empty reports whether nothing of ours is in the database: no tables, or no
// tenant in them.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	there, err := db.dialect.has(ctx, db.pool, "tenants")
	if err != nil || !there {
		return !there, err
	}
	var n int64
	if err := db.pool.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM tenants LIMIT 1) t`).Scan(&n); err != nil {
		return false, fmt.Errorf("store: is it empty: %w", classify(err))
	}
	return n == 0, nil
}

// Import fills an empty database with a copy and begins a new epoch, in one
// transaction: whoever looks meanwhile finds it empty. Migrations made since
// the copy follow. progress is called with each row.
func (db *DB) Import(ctx context.Context, who identity.Principal, c Backup, progress func()) (RestoreReport, error) {
	var ended RestoreReport
	if err := c.Suits(); err != nil {
		return ended, err
	}
	empty, err := db.Empty(ctx)
	switch {
	case err != nil:
		return ended, err
	case !empty:
		return ended, fmt.Errorf("store: %w", ErrNotEmpty)
	}
	provider, err := db.migrator()
	if err != nil {
		return ended, err
	}
	if _, err := provider.UpTo(ctx, c.Schema); err != nil {
		return ended, fmt.Errorf("store: migrate: %w", classify(err))
	}
	err = db.inTx(ctx, who, func(sqlTx *sql.Tx, tx *Tx) (err error) {
		for _, t := range c.Tables {
			if err := importTable(ctx, sqlTx, t, c.Rows(t), progress); err != nil {
				return err
			}
		}
		ended, err = tx.beginGeneration(ctx, c.MadeAt, c.Tables)
		return err
	})
	if err != nil {
		return ended, err
	}
	return ended, db.Migrate(ctx)
}

// importTable inserts the rows of a table, each value as the type that its column has
// here.
func importTable(ctx context.Context, tx *sql.Tx, t Table, rows iter.Seq2[[]any, error], progress func()) error {
	here, types, err := columns(ctx, tx, t.Name)
	if err != nil {
		return fmt.Errorf("store: fill %s: %w", t.Name, classify(err))
	}
	kinds := make([]string, len(t.Columns))
	for i, name := range t.Columns { // which also keeps anything but a column's name out of the statement
		at := slices.Index(here, name)
		if at < 0 {
			return fmt.Errorf("store: fill %s: it has no column %q", t.Name, name)
		}
		kinds[i] = types[at]
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+t.Name+` (`+strings.Join(t.Columns, ", ")+`) VALUES (`+numbered(1, len(t.Columns))+`)`)
	if err != nil {
		return fmt.Errorf("store: fill %s: %w", t.Name, classify(err))
	}
	defer insert.Close()
	// A server that was started on the empty database has written in these
	// three; nothing else is ever deleted for a copy.
	if t.Name == "meta" || t.Name == "leases" || t.Name == "vapid_keys" {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t.Name); err != nil {
			return fmt.Errorf("store: fill %s: %w", t.Name, classify(err))
		}
	}
	n := int64(0)
	for row, err := range rows {
		if err != nil {
			return err
		}
		for i, v := range row {
			row[i] = convert(kinds[i], v)
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return fmt.Errorf("store: fill %s: %w", t.Name, classify(err))
		}
		n++
		progress()
	}
	if n != t.Rows {
		return fmt.Errorf("store: fill %s: %d rows, %d are announced", t.Name, n, t.Rows)
	}
	return nil
}

// convert is a value in the type of a column. SQLite keeps whatever it is given, and
// PostgreSQL takes only what the column says.
func convert(kind string, v any) any {
	switch v := v.(type) {
	case string:
		if kind == "BYTEA" {
			return []byte(v)
		}
	case []byte:
		if kind == "TEXT" {
			return string(v)
		}
	}
	return v
}

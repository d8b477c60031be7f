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

// A Backup is a backup of a database of either kind, as far as importing it needs to
// know.
type Backup struct {
	Schema int64
	Least  int64
	Tables []Table
	MadeAt time.Time
	// Rows yields the rows of one table after the other, in the order of Tables, each
	// time it is called.
	Rows func(Table) iter.Seq2[[]any, error]
}

// ErrNotEmpty says that the database into which a backup is to be imported has data
// in it.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored into an empty one only")

// Check returns an error for a backup that this program cannot import.
func (c Backup) Check() error {
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

// Empty reports whether the database has no tables of ours, or no tenant in them.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	there, err := db.dialect.has(ctx, db.q, "tenants")
	if err != nil || !there {
		return !there, err
	}
	var n int64
	if err := db.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM tenants LIMIT 1) t`).Scan(&n); err != nil {
		return false, fmt.Errorf("store: look whether the database is empty: %w", classify(err))
	}
	return n == 0, nil
}

// Import imports a backup into an empty database and begins a new restore generation,
// in one transaction: until it commits, others see an empty database. Then it runs
// the migrations that are newer than the backup. It calls progress for each row.
func (db *DB) Import(ctx context.Context, who identity.Principal, c Backup, progress func()) (RestoreReport, error) {
	ctx = onWhole(ctx)
	var ended RestoreReport
	if err := c.Check(); err != nil {
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

// importTable inserts the rows of a table. Each value is converted to the type that
// its column has in this database.
func importTable(ctx context.Context, tx *sql.Tx, t Table, rows iter.Seq2[[]any, error], progress func()) error {
	here, types, err := columns(ctx, tx, t.Name)
	if err != nil {
		return fmt.Errorf("store: import %s: %w", t.Name, classify(err))
	}
	kinds := make([]string, len(t.Columns))
	for i, name := range t.Columns { // this check also keeps anything but the names of columns out of the statement
		at := slices.Index(here, name)
		if at < 0 {
			return fmt.Errorf("store: import %s: it has no column %q", t.Name, name)
		}
		kinds[i] = types[at]
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+t.Name+` (`+strings.Join(t.Columns, ", ")+`) VALUES (`+numbered(1, len(t.Columns))+`)`)
	if err != nil {
		return fmt.Errorf("store: import %s: %w", t.Name, classify(err))
	}
	defer insert.Close()
	// A server that was started on the empty database has written to these three
	// tables. No other rows are ever deleted for an import.
	if t.Name == "meta" || t.Name == "leases" || t.Name == "vapid_keys" {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t.Name); err != nil {
			return fmt.Errorf("store: import %s: %w", t.Name, classify(err))
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
			return fmt.Errorf("store: import %s: %w", t.Name, classify(err))
		}
		n++
		progress()
	}
	if n != t.Rows {
		return fmt.Errorf("store: import %s: %d rows, %d are announced", t.Name, n, t.Rows)
	}
	return nil
}

// convert returns a value in the type of a column. SQLite stores any type, PostgreSQL
// only the one of the column.
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

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
	// Applied are the migrations that the database had; nil in a backup of an earlier
	// release, which does not say so.
	Applied []int64
	MadeAt  time.Time
	// Rows yields the rows of one table after the other, in the order of Tables, each
	// time it is called.
	Rows func(Table) iter.Seq2[[]any, error]
}

// ErrNotEmpty says that the database into which a backup is to be imported has data
// in it.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored into an empty one only")

// Check returns an error for a backup that this program cannot import.
func (c Backup) Check() error {
	newest, err := newestMigration()
	if err != nil {
		return err
	}
	if c.Schema > newest || c.Least > Release {
		return fmt.Errorf("store: the backup was made by a newer release (schema %d, this one knows %d): install that release", c.Schema, newest)
	}
	_, err = c.without()
	return err
}

// without lists the migrations that the backup's database did not have, to be run after
// its rows are imported. Those that add columns are told by them, not by the highest
// number: a migration with a lower number may have come later. The others are told by
// Applied, without which they are listed: all that earlier releases have of them are
// indexes.
func (c Backup) without() (missing []int64, err error) {
	all, err := steps()
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool)
	var names []string
	for _, t := range c.Tables {
		names = append(names, t.Name)
		for _, column := range t.Columns {
			there[t.Name+"."+column] = true
		}
	}
	var known []string
	explained := 0
	for _, s := range all {
		n := 0
		for _, column := range s.columns {
			if there[column] {
				n++
			}
		}
		if n != 0 && n != len(s.columns) {
			return nil, fmt.Errorf("store: the backup has %d of the %d columns that migration %d adds", n, len(s.columns), s.version)
		}
		if n > 0 || len(s.columns) == 0 && slices.Contains(c.Applied, s.version) {
			known = append(known, s.tables...)
		} else {
			missing = append(missing, s.version)
		}
		explained += n
	}
	if explained != len(there) || !slices.Equal(names, known) {
		return nil, fmt.Errorf("store: the backup holds the tables %v with %d columns, of which this release knows the tables %v with %d",
			names, len(there), known, explained)
	}
	return missing, nil
}

// has reports whether the backup has a table or, if column is not empty, a column.
func (c Backup) has(table, column string) bool {
	i := slices.IndexFunc(c.Tables, func(t Table) bool { return t.Name == table })
	return i >= 0 && (column == "" || slices.Contains(c.Tables[i].Columns, column))
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
	missing, err := c.without()
	if err != nil {
		return ended, err
	}
	provider, err := db.migrator(missing...)
	if err != nil {
		return ended, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return ended, fmt.Errorf("store: migrate: %w", classify(err))
	}
	err = db.inTx(ctx, who, func(sqlTx *sql.Tx, tx *Tx) (err error) {
		for _, t := range c.Tables {
			if err := importTable(ctx, sqlTx, t, db.dialect.analyze(t.Name), c.Rows(t), progress); err != nil {
				return err
			}
		}
		ended, err = tx.beginGeneration(ctx, restored(c.MadeAt), c.has)
		return err
	})
	if err != nil {
		return ended, err
	}
	return ended, db.Migrate(ctx)
}

// importTable inserts the rows of a table. Each value is converted to the type that
// its column has in this database. analyze is run after them, if it is not empty.
func importTable(ctx context.Context, tx *sql.Tx, t Table, analyze string, rows iter.Seq2[[]any, error], progress func()) error {
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
	// The tables after this one refer to it, and are looked up in it: see DB.Analyze.
	if analyze != "" {
		if _, err := tx.ExecContext(ctx, analyze); err != nil {
			return fmt.Errorf("store: import %s: %w", t.Name, classify(err))
		}
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

package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// A Snapshot is the whole database in one state, to be copied. Others go on writing
// meanwhile.
type Snapshot struct {
	// Schema is the newest migration that was applied.
	Schema int64
	// Applied are all migrations that were applied.
	Applied []int64
	// Least is the lowest release that may open the database.
	Least int64
	// Tables are all tables, each after those that it refers to.
	Tables []Table

	tx *sql.Tx
}

// A Table is a table of a snapshot.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// Snapshot opens a snapshot. On SQLite it is a read transaction, which in WAL mode
// sees one state and blocks no writer; on PostgreSQL one at REPEATABLE READ. The
// caller closes it. It has no deadline.
func (db *DB) Snapshot(ctx context.Context) (*Snapshot, error) {
	tx, err := db.pool.BeginTx(ctx, &sql.TxOptions{Isolation: db.dialect.snapshot(), ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("store: snapshot: %w", classify(err))
	}
	s := &Snapshot{tx: tx}
	if err := s.load(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("store: snapshot: %w", classify(err))
	}
	return s, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() { _ = s.tx.Rollback() } // it has written nothing

func (s *Snapshot) load(ctx context.Context) error {
	var err error
	if s.Applied, err = s.applied(ctx); err != nil {
		return err
	}
	s.Schema = slices.Max(s.Applied)
	var least string
	if err := s.tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'least release'`).Scan(&least); err != nil {
		return err
	}
	if s.Least, err = strconv.ParseInt(least, 10, 64); err != nil {
		return err
	}
	names, err := tables(func(n int64) bool { return slices.Contains(s.Applied, n) })
	if err != nil {
		return err
	}
	for _, name := range names {
		t := Table{Name: name}
		if err := s.tx.QueryRowContext(ctx, `SELECT `+fullScan+` COUNT(*) FROM `+name).Scan(&t.Rows); err != nil {
			return err
		}
		if t.Columns, _, err = columns(ctx, s.tx, name); err != nil {
			return err
		}
		s.Tables = append(s.Tables, t)
	}
	return nil
}

// applied are the migrations that the database has.
func (s *Snapshot) applied(ctx context.Context) (all []int64, err error) {
	rows, err := s.tx.QueryContext(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied ORDER BY version_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// Rows yields the rows of a table, as one value for each column: nil, an int64, a
// string or a []byte. The slice is valid until the next row.
func (s *Snapshot) Rows(ctx context.Context, t Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		rows, err := s.tx.QueryContext(ctx, `SELECT `+fullScan+` `+strings.Join(t.Columns, ", ")+` FROM `+t.Name)
		if err != nil {
			yield(nil, fmt.Errorf("store: copy %s: %w", t.Name, classify(err)))
			return
		}
		defer rows.Close()
		row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
		for i := range row {
			into[i] = &row[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				yield(nil, fmt.Errorf("store: copy %s: %w", t.Name, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, fmt.Errorf("store: copy %s: %w", t.Name, classify(err)))
		}
	}
}

// tables lists the tables that migrations create, in the order of their numbers. A table
// refers only to earlier ones: PostgreSQL accepts no other migration. Tables that we did
// not create are not copied.
func tables(applied func(version int64) bool) ([]string, error) {
	all, err := steps()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		if applied(s.version) {
			names = append(names, s.tables...)
		}
	}
	return names, nil
}

// columns returns the names and types of a table's columns.
func columns(ctx context.Context, tx *sql.Tx, table string) (names, types []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT * FROM `+table+` LIMIT 0`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	all, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		names = append(names, c.Name())
		types = append(types, c.DatabaseTypeName())
	}
	return names, types, rows.Err()
}

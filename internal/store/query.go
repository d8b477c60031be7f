package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"
)

// A querier is a pool or a transaction of database/sql.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// fullScan marks a query, as a comment in its text, that may read all rows of a
// tenant: a list or a count of all, or something that is done very rarely. Tests fail
// for any other query that does (see package storetest).
const fullScan = "/* full scan */"

// A scanner is a row or the current one of rows.
type scanner interface{ Scan(dest ...any) error }

// resultRows are the rows of a query.
type resultRows interface {
	scanner
	Next() bool
	Err() error
	Close() error
}

// list yields the rows of a query, each scanned by one. An error ends the sequence.
func list[T any](ctx context.Context, r Reader, what string, one func(scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := r.q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(zero, fmt.Errorf("store: %s: %w", what, classify(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := one(rows)
			if err != nil {
				yield(zero, fmt.Errorf("store: %s: %w", what, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("store: %s: %w", what, classify(err)))
		}
	}
}

// Collect returns a sequence as a slice, or its error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func scanID(row scanner) (id string, err error) { return id, row.Scan(&id) }

// nullTime scans a nullable column of unix seconds into a time. NULL is the zero
// time.
type nullTime struct{ t *time.Time }

func (m nullTime) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*m.t = time.Time{}
	case int64:
		*m.t = time.Unix(v, 0).UTC()
	default:
		return fmt.Errorf("store: %T is no time", src)
	}
	return nil
}

// at is the column value of a time: NULL for the zero time.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

// flag is the column value of a bool.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// numbered returns the placeholders of n arguments beginning with $from, separated by
// commas.
func numbered(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

// placeholders returns the placeholders of the two arguments that follow n others.
func placeholders(n int) (first, second string) {
	return "$" + string(rune('1'+n)), "$" + string(rune('2'+n))
}

// exec runs a statement and reports how many rows it changed.
func (tx *Tx) exec(ctx context.Context, what, query string, args ...any) (int64, error) {
	res, err := tx.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, err)
	}
	return n, nil
}

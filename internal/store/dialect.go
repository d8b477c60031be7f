package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// A dialect has everything in which the two databases differ.
type dialect interface {
	// text returns the text of a query that differs between the databases.
	text(queryTexts) string
	goose() (database.Dialect, []goose.ProviderOption, error)
	// prepared returns where the prepared statements of a pool are kept; nil if its
	// driver keeps them by itself.
	prepared(pool *sql.DB) *statements
	// snapshot is the isolation level at which a read transaction sees one state.
	snapshot() sql.IsolationLevel
	// check returns an error if the database cannot be used the way it is reached. It
	// comes after the first connection.
	check(ctx context.Context) error
	// has reports whether a table exists.
	has(ctx context.Context, q *bounded, table string) (bool, error)
	// clock is the time of the database server; zero if there is none.
	clock(ctx context.Context, q *bounded) (time.Time, error)
	// analyze is the statement that counts what is in a table, for the planner; empty if
	// the planner does without.
	analyze(table string) string
	// notify sends the notifications of a transaction to other nodes, as part of it.
	notify(ctx context.Context, tx *Tx) error
	// listen notifies the subscribers of db of what other nodes and processes commit,
	// until ctx ends.
	listen(ctx context.Context, db *DB)
}

type sqlite struct{}

func (sqlite) goose() (database.Dialect, []goose.ProviderOption, error) {
	return database.DialectSQLite3, nil, nil
}

func (sqlite) text(q queryTexts) string { return q.sqlite }

func (sqlite) prepared(pool *sql.DB) *statements { return &statements{pool: pool} }

func (sqlite) snapshot() sql.IsolationLevel { return sql.LevelDefault }

func (sqlite) check(context.Context) error { return nil }

func (sqlite) has(ctx context.Context, q *bounded, table string) (bool, error) {
	return exists(ctx, q, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, table)
}

// exists reports whether a query of a count returns more than zero.
func exists(ctx context.Context, q *bounded, query string, args ...any) (bool, error) {
	var n int64
	if err := q.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return false, fmt.Errorf("store: look at the database: %w", classify(err))
	}
	return n > 0, nil
}

func (sqlite) clock(context.Context, *bounded) (time.Time, error) { return time.Time{}, nil }

func (sqlite) analyze(string) string { return "" }

func (sqlite) notify(context.Context, *Tx) error { return nil }

// listen polls data_version, which changes when another process (a command beside the
// server) commits. It does not say what changed, so all subscribers are notified. The
// connection that writes is asked: on any other, each of our own commits would change
// it too, and notify thousands of pages for nothing.
func (sqlite) listen(ctx context.Context, db *DB) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var last int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var version int64
		looking, cancel := within(ctx, db.timeout)
		err := db.writer.QueryRowContext(looking, `PRAGMA data_version`).Scan(&version)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				db.log.WarnContext(ctx, "store: watch for commits", "err", err)
			}
			continue
		}
		if version != last && last != 0 {
			db.bus.notifyAll()
		}
		last = version
	}
}

package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
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
	// has reports whether a table exists.
	has(ctx context.Context, pool *sql.DB, table string) (bool, error)
	// clock is the time of the database server; zero if there is none.
	clock(ctx context.Context, pool *sql.DB) (time.Time, error)
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

func (sqlite) has(ctx context.Context, pool *sql.DB, table string) (bool, error) {
	return exists(ctx, pool, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, table)
}

// exists reports whether a query of a count returns more than zero.
func exists(ctx context.Context, pool *sql.DB, query string, args ...any) (bool, error) {
	var n int64
	if err := pool.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return false, fmt.Errorf("store: look at the database: %w", classify(err))
	}
	return n > 0, nil
}

func (sqlite) clock(context.Context, *sql.DB) (time.Time, error) { return time.Time{}, nil }

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
		if err := db.writer.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
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

type postgres struct{ source string }

// goose migrates under an advisory lock, so that two nodes can start at once.
func (postgres) goose() (database.Dialect, []goose.ProviderOption, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return "", nil, fmt.Errorf("store: migration lock: %w", err)
	}
	return database.DialectPostgres, []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}

func (postgres) text(q queryTexts) string { return q.postgres }

func (postgres) prepared(*sql.DB) *statements { return nil }

func (postgres) snapshot() sql.IsolationLevel { return sql.LevelRepeatableRead }

func (postgres) has(ctx context.Context, pool *sql.DB, table string) (bool, error) {
	return exists(ctx, pool, `SELECT COUNT(*) WHERE to_regclass($1) IS NOT NULL`, table)
}

func (postgres) clock(ctx context.Context, pool *sql.DB) (now time.Time, err error) {
	if err := pool.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("store: clock: %w", classify(err))
	}
	return now, nil
}

const channel = "latchkey"

func (postgres) notify(ctx context.Context, tx *Tx) error {
	for _, topic := range tx.topics {
		if _, err := tx.q.ExecContext(ctx, `SELECT pg_notify('`+channel+`', $1)`, topic); err != nil {
			return fmt.Errorf("store: notify: %w", err)
		}
	}
	return nil
}

// listen keeps one connection that listens. Notifications that were sent while it was
// disconnected are lost, so all subscribers are notified after each reconnection.
func (p postgres) listen(ctx context.Context, db *DB) {
	for ctx.Err() == nil {
		if err := p.receive(ctx, db); err != nil && ctx.Err() == nil {
			db.log.WarnContext(ctx, "store: listening for wake-ups", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (p postgres) receive(ctx context.Context, db *DB) error {
	conn, err := pgx.Connect(ctx, p.source)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	db.bus.notifyAll()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		db.bus.notify(n.Payload)
	}
}

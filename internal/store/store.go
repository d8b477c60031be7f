package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Options says which database to open, and with what.
type Options struct {
	// Source is a PostgreSQL URL (postgres://…) or the path of an SQLite file,
	// which is made when there is none.
	Source string
	// Keys hold the roots under which secrets are sealed.
	Keys *Keyring
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Timeout is how long a transaction or a read may take for which somebody waits,
	// with its wait for a connection; 0 means DefaultTimeout. See LongRunning.
	Timeout time.Duration
	// Log receives what goes wrong in the background; nil discards it.
	Log *slog.Logger
	// Observe is told of every statement after it ran, with the context it ran
	// under: for metrics, a log of slow statements, or counting. It is called from
	// many goroutines at once and must be quick; nil observes nothing and costs
	// nothing.
	Observe func(context.Context, Statement)
}

// A DB is an open database.
type DB struct {
	Reader
	writer *sql.DB // SQLite: one connection, immediate transactions; PostgreSQL: the pool
	pool   *sql.DB // SQLite: readers; PostgreSQL: the same pool
	// Statements that are prepared once: of reads outside transactions, and of all inside.
	prepared, preparedWrites *statements
	tenants                  sync.Map // slug → cachedTenant
	cookieKeys               [][]byte
	timeout                  time.Duration
	silence                  *silence

	log  *slog.Logger
	bus  *bus
	stop context.CancelFunc
	done sync.WaitGroup
}

// A Tx is a transaction on behalf of a principal. Its events and notifications are
// written with it, or not at all.
type Tx struct {
	Reader
	db     *DB
	who    identity.Principal
	topics []string
	events [][]any // recorded and not written yet
}

// A Reader reads: outside transactions, as part of a [DB], or within one, as part
// of a [Tx]. Its views group the queries by subject.
type Reader struct {
	q       *bounded
	dialect dialect
	keys    *keys
	now     func() time.Time
}

// Open opens the database and starts to listen for notifications. It does not
// migrate; see [DB.Migrate].
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	db := &DB{log: o.Log, bus: newBus(), timeout: o.Timeout, silence: newSilence(o.Timeout, o.Log)}
	var err error
	if db.cookieKeys, err = o.Keys.cookieKeys(); err != nil {
		return nil, err
	}
	if err := db.connect(o); err != nil {
		return nil, err
	}
	db.prepared = db.dialect.prepared(db.pool)
	db.preparedWrites = db.dialect.prepared(db.writer)
	db.Reader = Reader{q: &bounded{plain: db.prepared.on(db.pool, nil), timeout: db.timeout, silence: db.silence},
		dialect: db.dialect, keys: newKeys(o.Keys), now: o.Now}
	if err := db.check(ctx, o.Source); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open: %w", err), db.closePools())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop = stop
	db.done.Go(func() { db.dialect.listen(running, db) })
	db.done.Go(func() { db.silence.run(running) })
	return db, nil
}

// check makes the first connection. If a server cannot be reached, the error is an
// [UnreachableError]; it is another one if it cannot be used the way it is reached.
func (db *DB) check(ctx context.Context, source string) error {
	ctx, cancel := within(ctx, db.timeout)
	defer cancel()
	if err := db.writer.PingContext(ctx); err != nil {
		if isServer(source) {
			return unreachable(source, err)
		}
		return classify(err)
	}
	return classify(db.dialect.check(ctx))
}

// CookieKeys are the keys that cookies are signed with, of 32 bytes each: the
// first signs, and all are believed, so that a new root in the keyring takes
// nobody's cookies away.
func (db *DB) CookieKeys() [][]byte { return db.cookieKeys }

// isServer reports whether a source is a server's URL, not a file.
func isServer(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

func (db *DB) connect(o Options) (err error) {
	source := o.Source
	if isServer(source) {
		p, err := newPostgres(source, db.timeout)
		if err != nil {
			return fmt.Errorf("store: open: %w", err)
		}
		db.dialect = p
		var connector driver.Connector = leavingConnector{stdlib.GetConnector(*p.config, stdlib.OptionAfterConnect(p.prepareSession))}
		if o.Observe != nil {
			connector = observedConnector{connector, o.Observe}
		}
		db.pool = sql.OpenDB(connector)
		db.pool.SetMaxOpenConns(maxConnections)
		db.pool.SetMaxIdleConns(maxConnections)
		db.pool.SetConnMaxIdleTime(5 * time.Minute)
		db.writer = db.pool
		db.silence.probe = p.probe
		db.silence.reset = func() { // closes all that are idle
			db.pool.SetMaxIdleConns(0)
			db.pool.SetMaxIdleConns(maxConnections)
		}
		return nil
	}
	db.dialect = sqlite{}
	path, err := filepath.Abs(source)
	if err != nil {
		return fmt.Errorf("store: open: %w", err)
	}
	// FULL makes a commit survive a loss of power: a passcode that was used up must
	// not come back. Immediate transactions wait for the lock when they begin; a
	// deferred one that reads first would fail at its first write. The log is copied
	// into the file at 16 MB instead of 4 MB: sign-ins write the same pages again and
	// again, and each page is copied once.
	dsn := func(extra ...string) string {
		q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", db.timeout.Milliseconds()), "journal_mode(WAL)",
			"synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)"}, extra...), "_txlock": {"immediate"}}
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
	}
	if db.writer, err = openPool("sqlite", dsn(), o.Observe); err != nil {
		return fmt.Errorf("store: open: %w", err)
	}
	db.writer.SetMaxOpenConns(1)
	if db.pool, err = openPool("sqlite", dsn("query_only(1)"), o.Observe); err != nil {
		return fmt.Errorf("store: open: %w", err)
	}
	db.pool.SetMaxOpenConns(8)
	db.pool.SetMaxIdleConns(8)
	return nil
}

// Close ends the listener and closes the database.
func (db *DB) Close() error {
	db.stop()
	db.done.Wait()
	return db.closePools()
}

func (db *DB) closePools() error {
	err := db.writer.Close()
	if db.pool != db.writer {
		err = errors.Join(db.pool.Close(), err)
	}
	return err
}

// Now is the time by which every expiry is measured.
func (r Reader) Now() time.Time { return r.now() }

// Ping reports whether the database can be written to, for /readyz.
func (db *DB) Ping(ctx context.Context) error {
	return db.InTx(ctx, identity.Principal{Kind: identity.System}, func(tx *Tx) error {
		_, err := tx.q.ExecContext(ctx, `UPDATE meta SET value = value WHERE name = 'least release'`)
		return err
	})
}

// InTx runs f in a transaction on behalf of who and commits it, or rolls it back if f
// returns an error. If the database is busy, full or gone, the error is an
// identity.Unavailable.
func (db *DB) InTx(ctx context.Context, who identity.Principal, f func(tx *Tx) error) error {
	return db.inTx(ctx, who, func(_ *sql.Tx, tx *Tx) error { return f(tx) })
}

// InSnapshot runs f on the database as it is at one moment: what others write
// meanwhile f does not see, and does not hold up.
func (db *DB) InSnapshot(ctx context.Context, f func(r Reader) error) error {
	ctx, cancel := within(ctx, patienceOf(ctx).read(db.timeout))
	defer cancel()
	began := time.Now()
	err := db.inSnapshot(ctx, f)
	if err != nil {
		db.silence.note(ctx, began)
	}
	return ended(ctx, err)
}

func (db *DB) inSnapshot(ctx context.Context, f func(r Reader) error) error {
	if err := db.silence.await(ctx); err != nil {
		return err
	}
	tx, err := db.pool.BeginTx(ctx, &sql.TxOptions{Isolation: db.dialect.snapshot(), ReadOnly: true})
	if err != nil {
		return fmt.Errorf("store: snapshot: %w", classify(err))
	}
	defer tx.Rollback() // it has written nothing
	return f(db.reader(ctx, tx))
}

// reader reads in a transaction, whose deadline is that of ctx.
func (db *DB) reader(ctx context.Context, plain querier) Reader {
	until, _ := ctx.Deadline()
	return Reader{q: &bounded{plain: plain, inTx: true, until: until, silence: db.silence}, dialect: db.dialect, keys: db.keys, now: db.now}
}

// inTx is InTx for callers that need the sql.Tx too.
func (db *DB) inTx(ctx context.Context, who identity.Principal, f func(sqlTx *sql.Tx, tx *Tx) error) error {
	ctx, cancel := within(ctx, patienceOf(ctx).transaction(db.timeout))
	defer cancel()
	began := time.Now()
	err := db.transaction(ctx, who, f)
	if err != nil {
		db.silence.note(ctx, began)
	}
	return ended(ctx, err)
}

func (db *DB) transaction(ctx context.Context, who identity.Principal, f func(sqlTx *sql.Tx, tx *Tx) error) error {
	if err := db.silence.await(ctx); err != nil {
		return err
	}
	conn, err := db.acquireWriter(ctx)
	if err != nil {
		return fmt.Errorf("store: begin: %w", classify(err))
	}
	defer conn.Close()
	sqlTx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: begin: %w", classify(err))
	}
	defer sqlTx.Rollback() // after a commit this does nothing
	q := db.preparedWrites.on(sqlTx, sqlTx)
	tx := &Tx{Reader: db.reader(ctx, q), db: db, who: who}
	if err := f(sqlTx, tx); err != nil {
		return classify(err)
	}
	if err := tx.writeEvents(ctx); err != nil {
		return classify(err)
	}
	if err := db.dialect.notify(ctx, tx); err != nil {
		return classify(err)
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", classify(err))
	}
	_ = conn.Close() // back to the pool, for the next transaction
	db.bus.notify(tx.topics...)
	db.preparedWrites.learn(ctx, q)
	return nil
}

// maxConnections is how many connections a node has to a server at most, besides the one
// that listens.
const maxConnections = 20

// acquireWriter waits for a connection to write on (QLT-3). SQLite has one, so
// transactions queue here.
func (db *DB) acquireWriter(ctx context.Context) (*sql.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	return db.writer.Conn(waiting)
}

// Who is the principal on whose behalf the transaction runs.
func (tx *Tx) Who() identity.Principal { return tx.who }

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

type postgres struct {
	config  *pgx.ConnConfig
	timeout time.Duration
	pooled  *atomic.Bool // a pooler stands between us and the server
	session string       // statements that begin each session
}

// newPostgres reads the URL of a server.
func newPostgres(source string, timeout time.Duration) (postgres, error) {
	c, err := pgx.ParseConfig(source)
	if err != nil {
		return postgres{}, err
	}
	p := postgres{config: c, timeout: timeout, pooled: new(atomic.Bool)}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > timeout {
		c.ConnectTimeout = timeout
	}
	// A connection that says nothing any more is closed by the kernel: one that waits,
	// by keep-alives; one that has sent something, by TCP_USER_TIMEOUT.
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: timeout, Interval: max(timeout/5, time.Second), Count: 5},
		Control: func(network, _ string, conn syscall.RawConn) error {
			return setUserTimeout(network, conn, timeout)
		},
	}
	c.DialFunc = dialer.DialContext
	p.session = sessionSettings(c.RuntimeParams, timeout)
	return p, nil
}

// sessionSettings are the statements that set what the server shall do when it waits for
// somebody else's lock, or for us: it must give locks back that a node holds which it
// cannot hear any more. They are statements, as pgbouncer refuses a connection with
// startup parameters that it does not know. Parameters in the URL take precedence.
func sessionSettings(given map[string]string, timeout time.Duration) string {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	var text string
	for _, setting := range []struct{ name, value string }{
		{"lock_timeout", milliseconds(timeout * 4 / 5)}, // before our own deadline, so that the connection lives on
		{"idle_in_transaction_session_timeout", milliseconds(2 * timeout)},
		{"tcp_user_timeout", milliseconds(2 * timeout)},
		{"tcp_keepalives_idle", strconv.Itoa(max(1, int(timeout.Seconds())))},
		{"tcp_keepalives_interval", "1"},
		{"tcp_keepalives_count", "5"},
	} {
		if given[setting.name] == "" {
			text += "SET " + setting.name + " = " + setting.value + "; "
		}
	}
	return text + "SELECT pg_backend_pid()"
}

// prepareSession makes the settings of a new connection, and notices a pooler: that
// announces another process than the server's.
func (p postgres) prepareSession(ctx context.Context, conn *pgx.Conn) error {
	results, err := conn.PgConn().Exec(ctx, p.session).ReadAll()
	if err != nil {
		return err
	}
	if pid := results[len(results)-1].Rows; len(pid) == 1 && string(pid[0][0]) != strconv.FormatUint(uint64(conn.PgConn().PID()), 10) {
		p.pooled.Store(true)
	}
	return nil
}

// A leavingConnector opens connections that leave the pool as soon as they are closed, by a
// deadline or by the server. The driver's own come back to the pool, and are found out
// when they are wanted next.
type leavingConnector struct{ driver.Connector }

func (c leavingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	plain, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: a %T is no connection of pgx", conn), conn.Close())
	}
	return leavingConn{plain}, nil
}

type leavingConn struct{ *stdlib.Conn }

// IsValid implements driver.Validator.
func (c leavingConn) IsValid() bool { return !c.Conn.Conn().IsClosed() }

// ErrSharedSessions says that a pooler gives a server's session to one transaction after
// the other.
var ErrSharedSessions = errors.New("a pooler stands before PostgreSQL that shares its connections by transaction or by statement, " +
	"and notifications and locks do not survive that: set pool_mode = session in pgbouncer for this database and user, " +
	"or connect to PostgreSQL directly")

// sharedTries is how often check looks: others may use a pooler too, so that one look may
// find nothing.
const sharedTries = 5

// check returns an error if a pooler shares sessions: if a session that one connection
// has used is used by another one, or if a connection comes to another session, while
// both are open.
func (p postgres) check(ctx context.Context) error {
	if !p.pooled.Load() {
		return nil
	}
	first, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return err
	}
	defer first.Close(ctx)
	second, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return err
	}
	defer second.Close(ctx)
	before, err := backend(ctx, first)
	if err != nil {
		return err
	}
	for range sharedTries {
		// As long as the transaction lasts, it has a session of its own.
		if _, err := second.Exec(ctx, `BEGIN`, pgx.QueryExecModeSimpleProtocol); err != nil {
			if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
				return fmt.Errorf("%w (%s)", ErrSharedSessions, refused.Message)
			}
			return err
		}
		others, err := backend(ctx, second)
		if err != nil {
			return err
		}
		now, err := backend(ctx, first)
		if err != nil {
			return err
		}
		if _, err := second.Exec(ctx, `ROLLBACK`, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		if others == before || now != before {
			return ErrSharedSessions
		}
	}
	return nil
}

// backend is the server's process behind a connection.
func backend(ctx context.Context, conn *pgx.Conn) (pid int64, err error) {
	return pid, conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
}

// probe makes a connection. A server that refuses it has answered.
func (p postgres) probe(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

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

func (postgres) has(ctx context.Context, q *bounded, table string) (bool, error) {
	return exists(ctx, q, `SELECT COUNT(*) WHERE to_regclass($1) IS NOT NULL`, table)
}

func (postgres) clock(ctx context.Context, q *bounded) (now time.Time, err error) {
	if err := q.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("store: clock: %w", classify(err))
	}
	return now, nil
}

// analyze leaves a table out that is being vacuumed, which counts it too.
func (postgres) analyze(table string) string { return `ANALYZE (SKIP_LOCKED) ` + table }

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
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := p.inTime(ctx, func(ctx context.Context) error { _, err := conn.Exec(ctx, `LISTEN `+channel); return err }); err != nil {
		return err
	}
	db.bus.notifyAll()
	for {
		var n *pgconn.Notification
		err := p.inTime(ctx, func(ctx context.Context) (err error) { n, err = conn.WaitForNotification(ctx); return err })
		switch {
		case err == nil:
			db.bus.notify(n.Payload)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			// Nothing came. Whether anything could have come, only an answer tells.
			if err := p.inTime(ctx, conn.Ping); err != nil {
				return err
			}
		}
	}
}

// inTime runs f, which may take as long as a statement.
func (p postgres) inTime(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return f(ctx)
}

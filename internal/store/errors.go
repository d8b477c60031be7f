package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	moderncsqlite "modernc.org/sqlite"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// classify gives an error of a database the kind by which callers decide.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var known *identity.Error
	if errors.As(err, &known) {
		return err
	}
	unavailable := func() error {
		return &identity.Error{Kind: identity.Unavailable, Key: "error.busy", RetryAfter: 2 * time.Second, Err: err}
	}
	var sqliteErr *moderncsqlite.Error
	if errors.As(err, &sqliteErr) {
		switch sqliteErr.Code() & 0xff {
		case 5, 6, 10, 13, 14, 8, 9: // BUSY, LOCKED, IOERR, FULL, CANTOPEN, READONLY, INTERRUPT (by a deadline)
			return unavailable()
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "08", "25", "53", "55", "57", "40": // connection, read-only, resources, lock timeout, shutdown, deadlock
			return unavailable()
		}
	}
	if disconnected(err) {
		return unavailable()
	}
	return err
}

// disconnected reports whether the connection to a server broke or could not be made:
// the server was restarted, or the network is gone. Whether a commit took effect is
// not known then; the caller finds out when it tries again.
func disconnected(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}

// notFound makes sql.ErrNoRows a NotFound and classifies all other errors.
func notFound(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound", Err: fmt.Errorf("store: %s: %w", what, err)}
	}
	return fmt.Errorf("store: %s: %w", what, classify(err))
}

// taken is the Conflict of a name that is used already.
func taken(what, name string) error {
	return &identity.Error{Kind: identity.Conflict, Key: "error.taken", Err: fmt.Errorf("there is a %s %q already", what, name)}
}

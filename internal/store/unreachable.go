package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// An UnreachableError says in plain words why a PostgreSQL server cannot be used. Its
// cause is that of the driver, which names users and addresses for each try.
type UnreachableError struct {
	Where string // host, port and database, such as db.example.org:5432/latchkey
	Why   string
	// Temporary reports whether trying again may help: the server may be starting.
	Temporary bool
	Err       error
}

func (e *UnreachableError) Error() string { return "the database at " + e.Where + ": " + e.Why }

func (e *UnreachableError) Unwrap() error { return e.Err }

// unreachable explains why a first connection failed.
func unreachable(source string, err error) error {
	c, notURL := pgx.ParseConfig(source)
	if notURL != nil {
		return classify(err)
	}
	why, temporary := explain(c, err)
	return &UnreachableError{Where: whereOf(c), Why: why, Temporary: temporary, Err: classify(err)}
}

// Where names the database of a source, without user and password: a file, or host,
// port and name.
func Where(source string) string {
	if !isServer(source) {
		return source
	}
	c, err := pgx.ParseConfig(source)
	if err != nil {
		return "a server whose address cannot be read"
	}
	return whereOf(c)
}

// whereOf is the address of a server and the name of the database on it.
func whereOf(c *pgx.ConnConfig) string {
	var hosts []string
	for _, one := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port}}, c.Fallbacks...) {
		host := net.JoinHostPort(one.Host, strconv.Itoa(int(one.Port)))
		if strings.HasPrefix(one.Host, "/") { // a socket in a folder
			host = one.Host
		}
		if len(hosts) == 0 || hosts[len(hosts)-1] != host { // the same without TLS comes twice
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",") + "/" + c.Database
}

// explain says why a connection could not be made, and whether that may pass.
func explain(c *pgx.ConnConfig, err error) (why string, temporary bool) {
	var answer *pgconn.PgError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &answer):
		return explainAnswer(c, answer)
	case errors.As(err, &certificate):
		return "its certificate is refused: " + certificate.Err.Error(), false
	case errors.As(err, &dns):
		return "the name " + dns.Name + " cannot be looked up", true
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "nothing listens there", true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no network leads there", true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "it did not answer in time", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection at once", true
	}
	return "no connection can be made: " + err.Error(), disconnected(err)
}

// explainAnswer is explain for what a server says itself (PostgreSQL, appendix A).
func explainAnswer(c *pgx.ConnConfig, answer *pgconn.PgError) (why string, temporary bool) {
	switch {
	case answer.Code == "57P03":
		return "it is starting, stopping or recovering", true
	case answer.Code == "53300":
		return "it has no connection left", true
	case answer.Code[:2] == "57", answer.Code[:2] == "08":
		return "it ended the connection", true
	case answer.Code[:2] == "28":
		return fmt.Sprintf("it refuses the user %q, or the password", c.User), false
	case answer.Code == "3D000":
		return fmt.Sprintf("it has no database %q", c.Database), false
	}
	return fmt.Sprintf("it refuses the connection (%s)", answer.Code), false
}

// Reach connects to a PostgreSQL server and disconnects. If it cannot be used, the
// error is an [UnreachableError].
func Reach(ctx context.Context, source string) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, source)
	if err != nil {
		return unreachable(source, err)
	}
	return conn.Close(ctx)
}

package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a driver and a server say becomes words of ours, and whether it may pass.
func TestExplain(t *testing.T) {
	c, err := pgx.ParseConfig("postgres://latchkey:secret@db.example.org:6432/logins")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tt := range []struct {
		name      string
		err       error
		want      string
		temporary bool
	}{
		{"refused", dial(syscall.ECONNREFUSED), "nothing listens there", true},
		{"no socket", dial(syscall.ENOENT), "nothing listens there", true},
		{"no route", dial(syscall.EHOSTUNREACH), "no network leads there", true},
		{"no answer", dial(os.ErrDeadlineExceeded), "it did not answer in time", true},
		{"no name", &net.DNSError{Name: "db.example.org", IsNotFound: true}, "the name db.example.org cannot be looked up", true},
		{"closed", io.ErrUnexpectedEOF, "it closed the connection at once", true},
		{"a certificate", &tls.CertificateVerificationError{Err: errors.New("it has expired")}, "its certificate is refused: it has expired", false},
		{"starting", &pgconn.PgError{Code: "57P03"}, "it is starting, stopping or recovering", true},
		{"full", &pgconn.PgError{Code: "53300"}, "it has no connection left", true},
		{"stopped", &pgconn.PgError{Code: "57P01"}, "it ended the connection", true},
		{"a wrong password", &pgconn.PgError{Code: "28P01"}, `it refuses the user "latchkey", or the password`, false},
		{"no database", &pgconn.PgError{Code: "3D000"}, `it has no database "logins"`, false},
		{"something else", &pgconn.PgError{Code: "42501"}, "it refuses the connection (42501)", false},
	} {
		why, temporary := explain(c, fmt.Errorf("failed to connect: %w", tt.err))
		if why != tt.want || temporary != tt.temporary {
			t.Errorf("%s: %q, %t, want %q, %t", tt.name, why, temporary, tt.want, tt.temporary)
		}
	}
}

func TestWhere(t *testing.T) {
	for source, want := range map[string]string{
		"/var/lib/latchkey/latchkey.db":                               "/var/lib/latchkey/latchkey.db",
		"postgres://latchkey:secret@db.example.org/logins":            "db.example.org:5432/logins",
		"postgres://a:secret@one.example.org,two.example.org:6432/l":  "one.example.org:5432,two.example.org:6432/l",
		"postgresql://latchkey@/logins?host=/run/postgresql":          "/run/postgresql/logins",
		"postgres://latchkey:secret@db.example.org/logins?sslmode=no": "a server whose address cannot be read",
	} {
		if got := Where(source); got != want || strings.Contains(got, "secret") {
			t.Errorf("Where(%q) = %q, want %q", source, got, want)
		}
	}
}

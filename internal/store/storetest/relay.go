package storetest

import (
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Relay stands between a test and its PostgreSQL server, as a network does. It can stop
// forwarding without closing anything: the kernels on both sides see a connection in good
// order on which nothing arrives.
type Relay struct {
	Source string // leads through the relay

	network, address string // of the server
	silent           atomic.Bool
	falls            atomic.Int64 // how often it fell silent
}

// NewRelay starts a relay to the server of a source. It ends with the test.
func NewRelay(t testing.TB, source string) *Relay {
	t.Helper()
	c, err := pgconn.ParseConfig(source)
	if err != nil {
		t.Fatal(err)
	}
	r := new(Relay)
	r.network, r.address = pgconn.NetworkAddress(c.Host, c.Port)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = l.Addr().String(), query.Encode()
	r.Source = u.String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.relay(conn)
		}
	}()
	return r
}

// FallSilent stops forwarding. Connections that are open, or are opened meanwhile, stay
// silent for good, and open: what is sent on them is lost.
func (r *Relay) FallSilent() {
	r.silent.Store(true)
	r.falls.Add(1)
}

// Resume forwards connections that are opened from now on.
func (r *Relay) Resume() { r.silent.Store(false) }

func (r *Relay) relay(client net.Conn) {
	falls := r.falls.Load()
	if r.silent.Load() {
		falls = -1
	}
	forwards := func() bool { return r.falls.Load() == falls }
	var d net.Dialer
	server, err := d.Dial(r.network, r.address)
	if err != nil {
		client.Close()
		return
	}
	go func() {
		forward(client, server, forwards)
		client.Close()
	}()
	forward(server, client, forwards)
	server.Close()
}

// forward copies until one side closes, and drops what comes once it is not to be
// forwarded.
func forward(to io.Writer, from net.Conn, forwards func() bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && forwards() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

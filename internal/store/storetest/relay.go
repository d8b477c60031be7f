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

// FallSilent stops forwarding. What is sent on connections that are open, or are opened
// meanwhile, is lost, and they stay silent for good.
func (r *Relay) FallSilent() { r.silent.Store(true) }

// Resume forwards connections that are opened from now on.
func (r *Relay) Resume() { r.silent.Store(false) }

func (r *Relay) relay(client net.Conn) {
	var lost atomic.Bool
	if r.silent.Load() {
		lost.Store(true)
		r.copy(io.Discard, client, &lost)
		client.Close()
		return
	}
	var d net.Dialer
	server, err := d.Dial(r.network, r.address)
	if err != nil {
		client.Close()
		return
	}
	go func() {
		r.copy(client, server, &lost)
		client.Close()
	}()
	r.copy(server, client, &lost)
	server.Close()
}

// copy forwards until one side closes. A connection on which something was lost forwards
// nothing more, not even that it was closed.
func (r *Relay) copy(to io.Writer, from net.Conn, lost *atomic.Bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if r.silent.Load() {
			lost.Store(true)
		}
		if n > 0 && !lost.Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

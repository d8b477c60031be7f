package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A names server answers every DNS query with one address, which can be changed.
type names struct {
	address atomic.Pointer[netip.Addr]
	asked   atomic.Int64
}

func (n *names) point(address string) {
	a := netip.MustParseAddr(address)
	n.address.Store(&a)
}

// resolver serves until the test ends, and returns a resolver that asks it.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := n.answer(buf[:size]); err == nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	n.asked.Add(1)
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q, a := m.Questions[0], *n.address.Load()
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	switch {
	case q.Type == dnsmessage.TypeA && a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: a.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && a.Is6():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
	}
	return m.Pack()
}

// listen serves h on 127.0.0.1 and returns its address. hits counts its connections, because a
// guard that only checks the answer would be too late.
func listen(t *testing.T, h http.HandlerFunc) (address string, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			hits.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, hits
}

const most = 1 << 10

func get(t *testing.T, c *Client, address string) (Answer, error) {
	t.Helper()
	return c.Get(t.Context(), address, "*/*", most)
}

var here = prefixes("127.0.0.1/32")

// All ways to write or name this machine that an attacker would try.
func TestQLT5_AttackTable(t *testing.T) {
	inside, hits := listen(t, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(inside)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Port()
	n := new(names)
	n.point("127.0.0.1")
	c := guard{resolver: n.resolver(t)}.client()
	for _, scheme := range []string{"https", "http"} {
		for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "0.0.0.0", "0", "127.1", "2130706433", "0x7f000001",
			"0177.0.0.1", "017700000001", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
			"169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "①②⑦.⓪.⓪.①", "127。0。0。1",
			"inside.example", "metadata.google.internal"} {
			address := scheme + "://" + host + ":" + port + "/"
			if a, err := get(t, c, address); err == nil {
				t.Errorf("%s: answered %d", address, a.Status)
			}
		}
	}
	for _, address := range []string{"", "/", "//x", "x", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "unix:///run/x", "data:,x", "https://", "https://:443/",
		"https://user@example.org/", "https://user:pass@example.org/", "https://example.org@127.0.0.1/", "https://exa mple.org/", "https://[::1/", "https://x\x00/", "https:127.0.0.1",
		"https:///127.0.0.1", "http://8.8.8.8/", "http://[2606:4700:4700::1111]/", "https://%31%32%37.0.0.1:" + port + "\n/"} {
		if _, err := get(t, c, address); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v, want it refused", address, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d connections reached the machine itself, want none", hits.Load())
	}
}

// The DNS server answers differently the second time. The address that is dialled is checked each
// time.
func TestQLT5_Rebinding(t *testing.T) {
	allowed, _ := listen(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	u, err := url.Parse(allowed)
	if err != nil {
		t.Fatal(err)
	}
	n := new(names)
	n.point("127.0.0.1")
	c := guard{allowed: here, resolver: n.resolver(t)}.client()
	address := "http://rebinding.example:" + u.Port() + "/"
	if a, err := get(t, c, address); err != nil || a.Status != http.StatusOK {
		t.Fatalf("before: %+v, %v", a, err)
	}
	for _, next := range []string{"127.0.0.2", "::1", "10.0.0.1", "169.254.169.254"} {
		n.point(next)
		if _, err := get(t, c, address); !errors.Is(err, ErrRefused) {
			t.Errorf("the name moved to %s: %v, want it refused", next, err)
		}
	}
	if n.asked.Load() == 0 {
		t.Error("nobody asked our name server: this shows nothing")
	}
}

func TestQLT5_Redirects(t *testing.T) {
	inside, hits := listen(t, func(http.ResponseWriter, *http.Request) {})
	elsewhere := strings.Replace(inside, "127.0.0.1", "127.0.0.2", 1) // same port, another address
	var seen http.Header
	base, _ := listen(t, func(w http.ResponseWriter, r *http.Request) {
		var hops int
		seen = r.Header
		fmt.Sscanf(r.URL.Path, "/hops/%d", &hops)
		switch {
		case r.URL.Query().Get("to") != "":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
		case hops > 0:
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, fmt.Sprintf("/hops/%d?secret=x", hops-1), http.StatusFound)
		}
	})
	c := New(here)
	for hops := range 6 {
		_, err := get(t, c, fmt.Sprintf("%s/hops/%d", base, hops))
		if ok := err == nil; ok != (hops <= 3) {
			t.Errorf("%d redirects: %v", hops, err)
		}
	}
	if _, err := get(t, c, base+"/hops/2"); err != nil || seen.Get("Referer") != "" || seen.Get("Cookie") != "" {
		t.Errorf("after redirects: %v, Referer %q, Cookie %q, want neither", err, seen.Get("Referer"), seen.Get("Cookie"))
	}
	if got := seen.Get("User-Agent"); got != UserAgent {
		t.Errorf("User-Agent %q, want %q", got, UserAgent)
	}
	for _, to := range []string{elsewhere, "http://[::1]/", "http://localhost.:1/", "https://10.0.0.1/", "http://8.8.8.8/", "file:///etc/passwd", "ftp://127.0.0.1/",
		strings.Replace(base, "http://", "http://user@", 1), "javascript:alert(1)"} {
		if _, err := get(t, c, base+"/?to="+url.QueryEscape(to)); err == nil {
			t.Errorf("redirected to %s", to)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d connections came by redirect, want none", hits.Load())
	}

	// A POST only goes to the named server and is not redirected.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/?to="+url.QueryEscape(inside), strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Do(r, most); err != nil || a.Status != http.StatusFound || hits.Load() != 0 {
		t.Errorf("POST: %+v, %v, %d connections; want the redirect itself", a, err, hits.Load())
	}
}

func TestQLT5_SizeAndTime(t *testing.T) {
	base, _ := listen(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			w.Write(bytes.Repeat([]byte("x"), most))
		case "/long":
			w.Write(bytes.Repeat([]byte("x"), most+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 16<<20))
			z.Close()
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		case "/drip":
			for r.Context().Err() == nil {
				w.Write([]byte("x"))
				http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
		}
	})
	c := New(here)
	if a, err := get(t, c, base+"/fits"); err != nil || len(a.Body) != most {
		t.Errorf("fits: %d bytes, %v", len(a.Body), err)
	}
	for _, path := range []string{"/long", "/bomb", "/header", "/gone"} {
		if _, err := get(t, c, base+path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	c.timeout = 200 * time.Millisecond
	if _, err := get(t, c, base+"/drip?secret=x"); err == nil || !strings.Contains(err.Error(), "took longer than 200ms") || strings.Contains(err.Error(), "secret") {
		t.Errorf("an answer that never ends: %v, want an error without the query", err)
	}
}

// A certificate that is not trusted, or is for another name, is refused.
func TestQLT5_Certificates(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = nil
	t.Cleanup(srv.Close)
	if _, err := get(t, New(here), srv.URL); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("unknown authority: %v", err)
	}
	n := new(names)
	n.point("127.0.0.1")
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := guard{allowed: here, resolver: n.resolver(t), roots: roots}.client()
	if _, err := get(t, c, srv.URL); err != nil {
		t.Errorf("vouched for: %v", err)
	}
	if _, err := get(t, c, strings.Replace(srv.URL, "127.0.0.1", "other.name", 1)); !errors.As(err, new(x509.HostnameError)) {
		t.Errorf("another name: %v", err)
	}
}

// A proxy from the environment would connect without the guard.
func TestQLT5_NoProxyOfTheEnvironment(t *testing.T) {
	proxy, hits := listen(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	c := New(here) // the proxy itself may be called
	for _, address := range []string{"http://10.0.0.1/", "https://10.0.0.1/"} {
		if _, err := get(t, c, address); !errors.Is(err, ErrRefused) || hits.Load() != 0 {
			t.Errorf("%s: %v, and %d connections to the proxy; want it refused", address, err, hits.Load())
		}
	}
	// The library reads the environment once in a process, so the above may come too late.
	if guard := (guard{}); guard.transport(guard.mayDial).Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}

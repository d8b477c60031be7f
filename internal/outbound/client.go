package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Bounds of a call.
const (
	wholeTime    = 10 * time.Second // from the look-up of the name to the last byte
	dialTime     = 5 * time.Second
	maxRedirects = 3
	maxHeader    = 64 << 10
	idleTime     = 30 * time.Second
)

// UserAgent is how we call ourselves, so that whoever runs the other server can
// tell who calls and where to ask.
const UserAgent = "Latchkey (+https://github.com/latchkey-id/latchkey)"

// ErrRefused says that a call would have gone where none may go. errors.Is
// tells it from a server that cannot be reached.
var ErrRefused = errors.New("outbound: no call goes there")

// A Client makes calls. It may be used by several goroutines at once.
type Client struct {
	http *http.Client
	time time.Duration // for a whole call
}

// New returns a client that calls the internet and, by https or plain http, the
// networks allowed, which may be private.
func New(allowed []netip.Prefix) *Client { return guard{allowed: allowed}.client() }

// NewTrusting is New for who believes other authorities than this machine does.
func NewTrusting(allowed []netip.Prefix, roots *x509.CertPool) *Client {
	return guard{allowed: allowed, roots: roots}.client()
}

// An Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Get fetches what is at an address. An answer other than 200, or one longer
// than most bytes, is an error.
func (c *Client) Get(ctx context.Context, address, accept string, most int64) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %q is no address", ErrRefused, address)
	}
	r.Header.Set("Accept", accept)
	a, err := c.Do(r, most)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s answered %d %s", r.URL.Host, a.Status, http.StatusText(a.Status))
	}
	return a, err
}

// Do makes a call and reads its answer, whatever the status. An answer longer
// than most bytes is an error. Redirects are followed for GET alone; any other
// call returns them.
func (c *Client) Do(r *http.Request, most int64) (Answer, error) {
	if err := checkAddress(r.URL); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), c.time, fmt.Errorf("%s took longer than %v", r.URL.Host, c.time))
	defer cancel()
	r = r.WithContext(ctx)
	r.Header.Set("User-Agent", UserAgent)
	res, err := c.http.Do(r)
	if err != nil {
		return Answer{}, because(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return Answer{}, because(ctx, err)
	}
	if int64(len(body)) > most {
		return Answer{}, fmt.Errorf("%s answered with more than %d bytes", r.URL.Host, most)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// because takes the address out of an error, which may hold a secret in its
// query, and says what a deadline was for.
func because(ctx context.Context, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// checkAddress refuses what no call of ours has in its address, before anything
// is looked up.
func checkAddress(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: %q is neither https nor http", ErrRefused, u.Scheme)
	case u.Hostname() == "":
		return fmt.Errorf("%w: no host", ErrRefused)
	case u.User != nil:
		return fmt.Errorf("%w: a user name in the address", ErrRefused)
	}
	return nil
}

// checkRedirect decides about the next hop. Where it goes is decided when it is
// dialled.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	}
	next.Header.Del("Referer") // the address we came from is none of its business
	return checkAddress(next.URL)
}

// A transport sends https and plain http by different rules.
type transport struct{ secure, plain http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return t.secure.RoundTrip(r)
	}
	return t.plain.RoundTrip(r)
}

// A guard decides which addresses may be dialled.
type guard struct {
	allowed  []netip.Prefix
	resolver *net.Resolver  // nil is the system's
	roots    *x509.CertPool // nil are the system's
}

func (g guard) client() *Client {
	return &Client{time: wholeTime, http: &http.Client{
		Transport:     &transport{secure: g.transport(g.mayDial), plain: g.transport(g.mayDialPlainly)},
		CheckRedirect: checkRedirect,
	}}
}

func (g guard) mayDial(a netip.Addr) error {
	if !contains(g.allowed, plain(a)) && !public(a) {
		return fmt.Errorf("%w: %s is not on the internet, and outgoing_allow has no network with it", ErrRefused, a)
	}
	return nil
}

// mayDialPlainly keeps plain http to the networks allowed: elsewhere anybody on
// the way could answer.
func (g guard) mayDialPlainly(a netip.Addr) error {
	if !contains(g.allowed, plain(a)) {
		return fmt.Errorf("%w: %s by plain http, which is for networks of outgoing_allow", ErrRefused, a)
	}
	return nil
}

// transport dials what may be dialled. Control runs with the address a socket
// is about to be connected to, after the name was looked up.
func (g guard) transport(may func(netip.Addr) error) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTime, Resolver: g.resolver, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q is no address", ErrRefused, address)
		}
		return may(to.Addr())
	}}
	return &http.Transport{
		Proxy:                  nil, // one of the environment would dial for us, past the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.roots},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTime,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        8,
		IdleConnTimeout:        idleTime,
	}
}

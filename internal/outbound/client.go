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

// Limits of a call.
const (
	callTimeout  = 10 * time.Second // from the lookup of the host name to the last byte
	dialTimeout  = 5 * time.Second
	maxRedirects = 3
	maxHeader    = 64 << 10
	idleTimeout  = 30 * time.Second
)

// UserAgent is the User-Agent header of all calls. It tells the operators of other servers
// who calls and where to ask.
const UserAgent = "Latchkey (+https://github.com/latchkey-id/latchkey)"

// ErrRefused says that a call was refused because of its address. It distinguishes this
// from a server that cannot be reached.
var ErrRefused = errors.New("outbound: no call goes there")

// A Client makes calls. It may be used by several goroutines at once.
type Client struct {
	http    *http.Client
	timeout time.Duration // for a whole call
}

// New returns a client that may call the internet by https, and the allowed networks, which
// may be private, by https or http.
func New(allowed []netip.Prefix) *Client { return guard{allowed: allowed}.client() }

// NewWithRoots is like New, with other root certificates than the system's.
func NewWithRoots(allowed []netip.Prefix, roots *x509.CertPool) *Client {
	return guard{allowed: allowed, roots: roots}.client()
}

// An Answer is a server's response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Get fetches an address. A status other than 200, or a body longer than limit bytes, is an
// error.
func (c *Client) Get(ctx context.Context, address, accept string, limit int64) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %q is no address", ErrRefused, address)
	}
	r.Header.Set("Accept", accept)
	a, err := c.Do(r, limit)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s answered %d %s", r.URL.Host, a.Status, http.StatusText(a.Status))
	}
	return a, err
}

// Do makes a call and reads its answer, whatever the status. A body longer than limit bytes
// is an error. Redirects are followed for GET only; other methods return them.
func (c *Client) Do(r *http.Request, limit int64) (Answer, error) {
	if err := checkAddress(r.URL); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), c.timeout, fmt.Errorf("%s took longer than %v", r.URL.Host, c.timeout))
	defer cancel()
	r = r.WithContext(ctx)
	r.Header.Set("User-Agent", UserAgent)
	res, err := c.http.Do(r)
	if err != nil {
		return Answer{}, redact(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return Answer{}, redact(ctx, err)
	}
	if int64(len(body)) > limit {
		return Answer{}, fmt.Errorf("%s answered with more than %d bytes", r.URL.Host, limit)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// redact removes the address from an error, because its query may contain a secret, and says
// which timeout expired.
func redact(ctx context.Context, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// checkAddress refuses addresses that no call may have, before the host name is looked up.
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

// checkRedirect decides whether to follow a redirect. The guard checks its address when it is
// dialled.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	}
	next.Header.Del("Referer") // the address of the first call may be confidential
	return checkAddress(next.URL)
}

// A transport uses different rules for https and http.
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
	resolver *net.Resolver  // nil means the system's
	roots    *x509.CertPool // nil means the system's
}

func (g guard) client() *Client {
	return &Client{timeout: callTimeout, http: &http.Client{
		Transport:     &transport{secure: g.transport(g.mayDial), plain: g.transport(g.mayDialHTTP)},
		CheckRedirect: checkRedirect,
	}}
}

func (g guard) mayDial(a netip.Addr) error {
	if !contains(g.allowed, canonical(a)) && !isPublic(a) {
		return fmt.Errorf("%w: %s is not on the internet, and outgoing_allow has no network with it", ErrRefused, a)
	}
	return nil
}

// mayDialHTTP restricts plain http to the allowed networks. Elsewhere an attacker on the
// network path could answer.
func (g guard) mayDialHTTP(a netip.Addr) error {
	if !contains(g.allowed, canonical(a)) {
		return fmt.Errorf("%w: %s by plain http, which is for networks of outgoing_allow", ErrRefused, a)
	}
	return nil
}

// transport returns a transport that only dials permitted addresses. Control is called after
// the host name was looked up, with the address that a socket is about to connect to.
func (g guard) transport(may func(netip.Addr) error) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: g.resolver, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q is no address", ErrRefused, address)
		}
		return may(to.Addr())
	}}
	return &http.Transport{
		Proxy:                  nil, // a proxy from the environment would connect without this guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.roots},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        8,
		IdleConnTimeout:        idleTimeout,
	}
}

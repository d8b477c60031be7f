package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A line is a kept-alive connection. net/http's client would serve as well, but
// spends as much CPU on a request as the server does on a quick one, and server
// and load share a machine.
type line struct {
	address string // to dial
	host    string // to name, where it is another
	from    string // address to dial from; empty where the machine may choose
	conn    net.Conn
	in      *bufio.Reader
	out     bytes.Buffer
}

// An answer is a response, read to its end.
type answer struct {
	status   int
	location string
	cookies  []*http.Cookie
	body     string
}

// patience is how long an answer is waited for.
const patience = 30 * time.Second

// send sends a request of head, which ends with a newline after each header,
// and reads the answer. A connection the server has closed meanwhile is opened
// anew by the next request.
func (l *line) send(method, path, head, body string) (answer, error) {
	failed := func(err error) (answer, error) {
		return answer{}, errors.Join(fmt.Errorf("%s %s: %w", method, bare(path), err), l.close())
	}
	res, err := l.ask(method, path, head, body)
	if err != nil {
		return failed(err)
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return failed(err)
	}
	if res.Close {
		err = l.close()
	}
	return answer{res.StatusCode, res.Header.Get("Location"), res.Cookies(), string(text)}, err
}

// ask is send without reading the answer's body.
func (l *line) ask(method, path, head, body string) (res *http.Response, err error) {
	if l.conn == nil {
		dialer := net.Dialer{Timeout: patience}
		if l.from != "" {
			dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(l.from)}
		}
		if l.conn, err = dialer.Dial("tcp", l.address); err != nil {
			return nil, err
		}
		l.in = bufio.NewReaderSize(l.conn, 16<<10)
	}
	l.out.Reset()
	fmt.Fprintf(&l.out, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", method, path, cmp.Or(l.host, l.address), head)
	if method == http.MethodPost {
		fmt.Fprintf(&l.out, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	l.out.WriteString("\r\n")
	l.out.WriteString(body)
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := l.conn.Write(l.out.Bytes()); err != nil {
		return nil, err
	}
	return http.ReadResponse(l.in, nil)
}

func (l *line) close() error {
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	return err
}

// A browser has cookies and follows redirects as long as they lead to the server.
type browser struct {
	line
	base    string // the server's, without a slash at the end
	cookies map[string]string
}

func newBrowser(base string) *browser {
	host := strings.TrimPrefix(base, "http://")
	return &browser{line: line{address: host, host: host}, base: base, cookies: make(map[string]string)}
}

// A page is where a browser stands: at an address of the server with a body, or
// sent on to somewhere else.
type page struct {
	path  string
	body  string
	leads string // an address elsewhere; empty while at the server
}

// open goes to an address of the server.
func (b *browser) open(path string) (page, error) { return b.follow(http.MethodGet, path, "") }

// post sends a form.
func (b *browser) post(path string, form url.Values) (page, error) {
	return b.follow(http.MethodPost, path, form.Encode())
}

// maxRedirects is more than any login needs.
const maxRedirects = 5

func (b *browser) follow(method, path, body string) (page, error) {
	for range maxRedirects {
		a, err := b.send(method, path, b.head(), body)
		if err != nil {
			return page{}, err
		}
		b.keep(a.cookies)
		switch {
		case a.status == http.StatusSeeOther || a.status == http.StatusFound:
			next, own := strings.CutPrefix(a.location, b.base)
			if !own && !strings.HasPrefix(next, "/") {
				return page{leads: a.location}, nil
			}
			method, path, body = http.MethodGet, next, ""
		case a.status == http.StatusOK:
			return page{path: path, body: a.body}, nil
		default:
			return page{}, fmt.Errorf("%s %s: status %d: %s", method, bare(path), a.status, problem(a.body))
		}
	}
	return page{}, fmt.Errorf("%s: more than %d redirects", bare(path), maxRedirects)
}

// keep keeps the cookies of an answer.
func (b *browser) keep(cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

// bare is a path without its query, which would fill a screen.
func bare(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// head is what browsers say with every request.
func (b *browser) head() string {
	var h strings.Builder
	h.WriteString("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
		"Accept-Language: en-US,en;q=0.5\r\nSec-Fetch-Site: same-origin\r\n")
	separator := "Cookie: "
	for name, value := range b.cookies {
		h.WriteString(separator + name + "=" + value)
		separator = "; "
	}
	if separator == "; " {
		h.WriteString("\r\n")
	}
	return h.String()
}

// field cuts the value of a hidden field out of a page.
func field(body, name string) string {
	_, after, _ := strings.Cut(body, `name="`+name+`" value="`)
	value, _, _ := strings.Cut(after, `"`)
	return html.UnescapeString(value)
}

// problem cuts out of a page what it says went wrong.
func problem(body string) string {
	_, after, found := strings.Cut(body, `id="problem"`)
	if !found {
		after = body
	}
	_, after, _ = strings.Cut(after, "<p>")
	text, _, _ := strings.Cut(after, "</p>")
	return strconv.Quote(text)
}

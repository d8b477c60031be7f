package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// An fcmServer is Google's push service on this machine, as far as Chromium speaks
// with it: Chromium checks in, registers for each application server's key,
// keeps one line open, and is handed over it what is posted to the endpoint of a
// registration. What it is handed it decrypts by itself.
//
// There is no document of this but Chromium's source (google_apis/gcm). The
// messages are protocol buffers of a handful of fields, written here by hand.
type fcmServer struct {
	*httptest.Server
	mcs net.Listener
	t   *testing.T

	connected chan struct{} // closed once a browser is on the line

	mu         sync.Mutex
	browser    net.Conn // the line
	registered map[string]url.Values
	delivered  [][]byte // packets, in order
}

func newFCMServer(t *testing.T) *fcmServer {
	t.Helper()
	c := &fcmServer{t: t, connected: make(chan struct{}), registered: make(map[string]url.Values)}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	var err error
	if c.mcs, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: c.TLS.Certificates, MinVersion: tls.VersionTLS12}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.mcs.Close() })
	go func() {
		for {
			conn, err := c.mcs.Accept()
			if err != nil {
				return
			}
			go c.listen(conn)
		}
	}()
	return c
}

// options make a Chromium take the server for Google's, and believe its
// certificate.
func (c *fcmServer) options() []chromedp.ExecAllocatorOption {
	key := sha256.Sum256(c.Certificate().RawSubjectPublicKeyInfo)
	return []chromedp.ExecAllocatorOption{
		chromedp.Flag("gcm-checkin-url", c.URL+"/checkin"),
		chromedp.Flag("gcm-registration-url", c.URL+"/register"),
		chromedp.Flag("gcm-mcs-endpoint", "https://"+c.mcs.Addr().String()),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])),
	}
}

// endpoints is what the path of every endpoint begins with.
const endpoints = "/fcm/send/"

func (c *fcmServer) serve(w http.ResponseWriter, r *http.Request) {
	token, posted := strings.CutPrefix(r.URL.Path, endpoints)
	switch {
	case r.URL.Path == "/checkin":
		w.Write(protoJoin(protoNumber(1, 1), protoFixed(7, 1), protoFixed(8, 2))) // it went well; the device's id and its secret
	case r.URL.Path == "/register" && r.ParseForm() == nil:
		c.mu.Lock()
		defer c.mu.Unlock()
		token := fmt.Sprint("token-", len(c.registered))
		c.registered[token] = r.PostForm
		fmt.Fprint(w, "token="+token)
	case posted:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = c.deliver(token, body)
		}
		if err != nil {
			c.t.Errorf("push service: %v", err)
			w.WriteHeader(http.StatusGone)
			return
		}
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Tags of what goes over the line.
const (
	loginAnswer = 3
	dataMessage = 8
)

// deliver sends a message on to the browser as it came.
func (c *fcmServer) deliver(token string, body []byte) error {
	<-c.connected
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.registered[token]
	if to == nil {
		return errors.New("nobody registered as " + token)
	}
	id := messageID(len(c.delivered))
	m := protoPacket(dataMessage, protoText(2, id), protoText(3, to.Get("sender")), protoText(5, to.Get("app")),
		protoText(7, string(protoJoin(protoText(1, "subtype"), protoText(2, to.Get("X-subtype"))))),
		protoText(7, string(protoJoin(protoText(1, "content-encoding"), protoText(2, "aes128gcm")))),
		protoText(9, id), protoText(21, string(body)))
	c.delivered = append(c.delivered, m)
	_, _ = c.browser.Write(m) // if the line is gone, the browser comes back for it
	return nil
}

func messageID(n int) string { return fmt.Sprintf("message-%d;", n) }

// listen answers the browser's login, which says what it has received; what it
// has not, since the line broke, comes again. All else that it says is for the
// record.
func (c *fcmServer) listen(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	version, err := r.ReadByte()
	for first := true; err == nil; first = false {
		if _, err = r.ReadByte(); err != nil { // the tag
			return
		}
		var size uint64
		if size, err = binary.ReadUvarint(r); err != nil || size > 1<<20 {
			return
		}
		said := make([]byte, size)
		if _, err = io.ReadFull(r, said); err == nil && first {
			c.loggedIn(conn, version, said)
		}
	}
}

func (c *fcmServer) loggedIn(conn net.Conn, version byte, said []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := append([]byte{version}, protoPacket(loginAnswer, protoText(1, "login"))...)
	for n, m := range c.delivered {
		if !bytes.Contains(said, []byte(messageID(n))) {
			answer = append(answer, m...)
		}
	}
	_, _ = conn.Write(answer)
	if c.browser == nil {
		close(c.connected)
	}
	c.browser = conn
}

// The protocol buffers' encoding of a number, of eight bytes, and of a text.
func protoNumber(field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v)
}

func protoFixed(field int, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(nil, uint64(field)<<3|1), v)
}

func protoText(field int, v string) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3|2), uint64(len(v))), v...)
}

func protoJoin(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func protoPacket(tag byte, parts ...[]byte) []byte {
	m := protoJoin(parts...)
	return append(binary.AppendUvarint([]byte{tag}, uint64(len(m))), m...)
}

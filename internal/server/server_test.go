package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

var operator = identity.Principal{Kind: identity.CommandLine, Name: "test"}

// free finds an address that is free now. Its port is below those that the system takes
// for outgoing connections, so that nobody takes it before the server does.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("localhost:%d", 10_000+(os.Getpid()+int(portsTaken.Add(1)))%10_000)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

var portsTaken atomic.Int64

// found makes a folder of a server on a free port.
func found(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Default(t.TempDir()).WithBase("http://" + free(t))
	if err != nil {
		t.Fatal(err)
	}
	c.StopDelay = "0s" // no balancer has to notice
	if err := Init(t.Context(), c, operator, identity.Tenant{Slug: "example", Name: "Example Hospital"}); err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs a server and returns a function that stops it and says how it
// ended.
func start(t *testing.T, c config.Config, mounted ...func(*Server)) (s *Server, stop func() error) {
	t.Helper()
	s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, mount := range mounted {
		mount(s)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var err2 error
	stopped := false
	stop = func() error {
		if cancel(); !stopped {
			stopped = true
			err2 = errors.Join(<-ended, s.Close())
		}
		return err2
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, stop
}

// plain is a client that follows no redirect.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}

func get(t *testing.T, address string) (int, http.Header, string) {
	t.Helper()
	res, err := plain.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

func TestServer(t *testing.T) {
	began := time.Now()
	c := found(t)
	start(t, c, func(s *Server) {
		s.Handle("GET /more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "more") }))
	})
	for _, tt := range []struct {
		path     string
		status   int
		contains string // of the body, or of where it redirects to
	}{
		{"/healthz", 200, "alive"},
		{"/readyz", 200, "ready"},
		{"/", 303, "/t/example/me"},
		{"/t/example/me", 303, "/t/example/login"},
		{"/t/example/login", 303, "/t/example/begin/req_"},
		{"/t/nobody/login", 404, "Latchkey"},
		{"/nothing", 404, "<html"},
		{"/authenticator/", 200, "<html"},
		{"/t/example/.well-known/openid-configuration", 200, `"issuer":"` + c.BaseURL + `/t/example"`},
		{"/more", 200, "more"},
	} {
		status, header, body := get(t, c.BaseURL+tt.path)
		if status != tt.status || !strings.Contains(body+header.Get("Location"), tt.contains) {
			t.Errorf("GET %s: %d, want %d; no %q in %s %s", tt.path, status, tt.status, tt.contains, header.Get("Location"), body)
		}
		if header.Get("Content-Security-Policy") == "" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: headers %v", tt.path, header)
		}
	}
	t.Logf("made, started and asked in %s", time.Since(began))
}

// Another site's form is refused by the pages and let through to the protocols,
// which only store a request.
func TestQLT4_WritesFromElsewhere(t *testing.T) {
	c := found(t)
	start(t, c)
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/t/example/me", http.StatusForbidden},
		{"/t/example/login/jrn_aaaaaaaaaaaaaaaaaaaaaaaaaa", http.StatusForbidden},
		{"/t/example/oauth/authorize", http.StatusBadRequest},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", c.BaseURL+tt.path, strings.NewReader("client_id=x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := plain.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("POST %s from another site: %d, want %d", tt.path, res.StatusCode, tt.status)
		}
	}
}

func TestQLT3_Headers(t *testing.T) {
	c := found(t)
	start(t, c)
	r, err := http.NewRequestWithContext(t.Context(), "GET", c.BaseURL+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("a", 64<<10))
	res, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of headers: %d, want 431", res.StatusCode)
	}
}

// The web authenticator scans; nothing else of ours has use for a camera.
func TestQLT4_CameraForTheAppAlone(t *testing.T) {
	c := found(t)
	start(t, c)
	for path, want := range map[string]string{
		"/authenticator/": "camera=(self)", "/authenticator/sw.js": "camera=(self)", "/t/default/me": "camera=()", "/nowhere": "camera=()",
	} {
		if _, header, _ := get(t, c.BaseURL+path); !strings.HasPrefix(header.Get("Permissions-Policy"), want+",") {
			t.Errorf("%s: Permissions-Policy %q, want %s", path, header.Get("Permissions-Policy"), want)
		}
	}
}

// A second address takes health away from the first.
func TestMetricsListen(t *testing.T) {
	c := found(t)
	c.MetricsListen = free(t)
	start(t, c)
	if status, _, _ := get(t, "http://"+c.MetricsListen+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz on the second address: %d", status)
	}
	if status, _, _ := get(t, c.BaseURL+"/readyz"); status != http.StatusNotFound {
		t.Errorf("/readyz on the first address: %d, want 404", status)
	}
}

// Profiles are on the second address alone: they show what is in memory.
func TestProfiles(t *testing.T) {
	c := found(t)
	c.MetricsListen = free(t)
	start(t, c)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/profile?seconds=1"} {
		if status, _, _ := get(t, "http://"+c.MetricsListen+path); status != http.StatusOK {
			t.Errorf("%s on the second address: %d", path, status)
		}
		if status, _, _ := get(t, c.BaseURL+path); status != http.StatusNotFound {
			t.Errorf("%s on the first address: %d, want 404", path, status)
		}
	}
}

// Readiness tells the truth: a database that is gone is not ready, while the
// process lives.
func TestReadiness(t *testing.T) {
	c := found(t)
	s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	var last readiness
	if err := last.look(s); err != nil {
		t.Fatalf("ready: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := last.look(s); err != nil {
		t.Errorf("asked anew within a second: %v", err)
	}
	last.at = time.Time{}
	if err := last.look(s); err == nil {
		t.Error("ready without a database")
	}
}

// Streams end when the server stops, and what is under way is finished.
func TestStop(t *testing.T) {
	c := found(t)
	under, finish := make(chan struct{}), make(chan struct{})
	_, stop := start(t, c, func(s *Server) {
		s.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(under)
			<-finish
			fmt.Fprint(w, "finished")
		}))
		s.Handle("GET /stream", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "here")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-s.closing
		}))
	})
	res, err := plain.Get(c.BaseURL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stream := bufio.NewReader(res.Body)
	if _, err := stream.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	said := make(chan string)
	go func() {
		_, _, body := get(t, c.BaseURL+"/slow")
		said <- body
	}()
	<-under
	time.AfterFunc(100*time.Millisecond, func() { close(finish) })
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if body := <-said; body != "finished" {
		t.Errorf("a request under way got %q", body)
	}
	if _, err := stream.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v, want EOF", err)
	}
	if _, err := plain.Get(c.BaseURL + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

func TestFound(t *testing.T) {
	c := found(t)
	if err := Init(t.Context(), c, operator, identity.Tenant{Slug: "other", Name: "Other"}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Found twice: %v, want fs.ErrExist", err)
	}
	info, err := os.Stat(c.Source())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("database: %v, %v, want 0600", info, err)
	}
	db, err := open(t.Context(), c, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tenants, err := store.Collect(db.Tenants().All(t.Context()))
	if err != nil || len(tenants) != 1 {
		t.Fatalf("tenants: %v, %v", tenants, err)
	}
	if _, err := db.Applications().ByIdentifier(t.Context(), tenants[0].ID, identity.Portal, "me"); err != nil {
		t.Errorf("the tenant has no self-service pages: %v", err)
	}
}

func TestNew_SaysAllThatIsWrong(t *testing.T) {
	c := found(t)
	c.BaseURL, c.Mail.Folder = "http://login.example.org", "mails"
	_, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) != 2 {
		t.Errorf("New: %v, want two problems", err)
	}
}

// Two nodes on one database: one sweeps.
func TestSweep_OneNodeAtATime(t *testing.T) {
	c := found(t)
	var nodes []*Server
	for range 2 {
		s, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		nodes = append(nodes, s)
	}
	past := nodes[0].DB.Now().Add(-time.Hour)
	use := func(key string) error {
		return nodes[0].DB.InTx(t.Context(), operator, func(tx *store.Tx) error {
			return tx.UseOnce(t.Context(), "ten", "jti", key, past)
		})
	}
	if err := errors.Join(use("a"), nodes[0].sweepOnce(t.Context()), use("a")); err != nil {
		t.Fatalf("what is past was not swept out: %v", err)
	}
	if err := nodes[1].sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := use("a"); !errors.Is(err, identity.Conflict) {
		t.Errorf("a second node swept while the first had the broom: %v", err)
	}
}

// Two nodes on one database: one fetches metadata, and by the outgoing client.
func TestMetadata_OneNodeAtATime(t *testing.T) {
	var asked atomic.Int64
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://payroll.example.org/saml" cacheDuration="PT1S">
			<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService
			Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://payroll.example.org/acs" index="0"/></SPSSODescriptor></EntityDescriptor>`)
	}))
	t.Cleanup(publisher.Close)
	c := found(t)
	c.OutgoingAllow = []string{"127.0.0.1"}
	node := func(c config.Config) *Server {
		s, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	first, second := node(c), node(c)
	tenants, err := store.Collect(first.DB.Tenants().All(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	app, err := admin.Metadata{DB: first.DB, Client: first.outgoing}.Add(t.Context(), operator, tenants[0].ID, publisher.URL, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	source := func() store.MetadataSource {
		t.Helper()
		m, err := first.DB.Metadata().Source(t.Context(), tenants[0].ID, app.ID)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	makeDue := func() {
		t.Helper()
		m := source()
		m.DueAt = first.DB.Now()
		if err := first.DB.InTx(t.Context(), operator, func(tx *store.Tx) error { return tx.Metadata().SetSource(t.Context(), m) }); err != nil {
			t.Fatal(err)
		}
	}
	look := func(s *Server, want int64) {
		t.Helper()
		if err := s.metadataOnce(t.Context()); err != nil || asked.Load() != want {
			t.Errorf("fetched %d times, %v, want %d", asked.Load(), err, want)
		}
	}
	look(first, 1) // not due
	makeDue()
	look(first, 2)
	look(first, 2)
	makeDue()
	look(second, 2) // the first has the lease
	look(first, 3)

	// A node that may not call there says so, and keeps what is good.
	makeDue()
	c.OutgoingAllow = nil
	third := node(c)
	third.node = first.node
	look(third, 3)
	if m := source(); m.Failures != 1 || !strings.Contains(m.Failure, "outgoing_allow") {
		t.Errorf("source: %+v", m)
	}
}

func TestTLS_RenewedCertificate(t *testing.T) {
	c := found(t)
	c.TLSCert, c.TLSKey = "cert.pem", "key.pem"
	write := func(serial int64) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
			if err := os.WriteFile(filepath.Join(c.Dir(), name), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1)
	var err error
	if c, err = c.WithBase(strings.Replace(c.BaseURL, "http:", "https:", 1)); err != nil {
		t.Fatal(err)
	}
	start(t, c)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	res, err := client.Get(c.BaseURL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("by TLS: %s, %s, %v", res.Status, res.Proto, res.Header)
	}

	kept := &certificate{config: c, log: slog.New(slog.DiscardHandler)}
	serial := func() string {
		pair, err := kept.get(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	if got := serial(); got != "1" {
		t.Fatalf("serial %s, want 1", got)
	}
	later := time.Now().Add(time.Second)
	write(2)
	if err := os.Chtimes(filepath.Join(c.Dir(), "cert.pem"), later, later); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != "1" {
		t.Errorf("it looked again at once: serial %s", got)
	}
	kept.looked = time.Time{}
	if got := serial(); got != "2" {
		t.Errorf("serial %s after a renewal, want 2", got)
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "cert.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept.looked = time.Time{}
	if got := serial(); got != "2" {
		t.Errorf("serial %s over a damaged file, want the old 2", got)
	}
}

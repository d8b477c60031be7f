package appapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/enroll/enrolltest"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// fixture is a database with a tenant and its people, and the API over HTTP.
type fixture struct {
	*enrolltest.Fixture
	api     *API
	streams *web.Streams
	server  *httptest.Server
	ip      string // where requests come from
}

// each runs f in a fixture on every database at hand.
func each(t *testing.T, f func(t *testing.T, h *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) { f(t, newFixture(t, h)) })
}

// onSQLite is a fixture for what does not depend on the database.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, storetest.SQLite(t))
}

func newFixture(t *testing.T, in *storetest.Fixture) *fixture {
	t.Helper()
	h := &fixture{Fixture: enrolltest.New(t, in), ip: "192.0.2.17"}
	catalog := localestest.Catalog(t)
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.api.Handler().ServeHTTP(w, r) }))
	t.Cleanup(h.server.Close)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h.streams = web.NewStreams(log)
	h.api = New(Options{DB: h.DB, Base: h.server.URL, SelfService: "https://login.example.org", Catalog: catalog, Notifier: h.newNotifier(t, catalog), Address: func(*http.Request) string { return h.ip },
		Streams: h.streams, Log: log})
	t.Cleanup(func() { h.streams.Close(); h.streams.Wait() })
	return h
}

// inside is in our own network. An operator took it for a push service, and let
// nobody call it.
const inside = "127.0.0.1:1"

// newNotifier may call push services on the internet alone.
func (h *fixture) newNotifier(t *testing.T, catalog *locales.Catalog) *notify.Notifier {
	t.Helper()
	services, err := webpush.NewServices([]string{inside})
	if err != nil {
		t.Fatal(err)
	}
	return &notify.Notifier{DB: h.DB, Client: outbound.New(nil), Services: services, Catalog: catalog, Base: h.server.URL,
		Contact: "mailto:help@example.org", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// An app is an authenticator app at its barest: a key and what it signs. It
// can sign anything, so that the tests can lie.
type app struct {
	h   *fixture
	key *ecdsa.PrivateKey
	id  string
}

func (h *fixture) newApp(t *testing.T) *app {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &app{h: h, key: key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *app) jwk() map[string]any {
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func (a *app) thumbprint() string {
	k := a.jwk()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + k["x"].(string) + `","y":"` + k["y"].(string) + `"}`))
	return b64(sum[:])
}

// A signing is what goes into a signature, for a test to change.
type signing struct {
	header, payload map[string]any
	method, name    string
	body            []byte
}

func (a *app) signing(name string, body any) *signing {
	s := &signing{method: http.MethodGet, name: name}
	if body != nil {
		s.method = http.MethodPost
		s.body, _ = json.Marshal(body)
	}
	if raw, ok := body.(string); ok {
		s.body = []byte(raw)
	}
	hash := sha256.Sum256(s.body)
	var jti [16]byte
	rand.Read(jti[:])
	s.header = map[string]any{"alg": "ES256", "typ": "latchkey-app+jwt"}
	s.payload = map[string]any{"typ": name, "htm": s.method, "htu": a.h.server.URL + Path + name, "bsh": b64(hash[:]),
		"iat": a.h.Clock.Now().Unix(), "jti": b64(jti[:]), "ver": "latchkey-test/1.0.0",
		"cap": []string{"presence:none", "presence:enter", "challenge", "counter"}}
	if name == "activate" {
		s.header["jwk"] = a.jwk()
	} else {
		s.header["kid"] = a.thumbprint()
		s.payload["sub"] = a.id
	}
	return s
}

// sign returns the JWS of header and payload.
func (a *app) sign(s *signing) string {
	header, err := json.Marshal(s.header)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(s.payload)
	if err != nil {
		panic(err)
	}
	return a.signText(string(header), string(payload))
}

// signText returns the JWS of header and payload as they stand.
func (a *app) signText(header, payload string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(a.raw(signed))
}

// raw returns r and s of a signature.
func (a *app) raw(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

// heard is what a call was answered with.
type heard struct {
	status int
	header http.Header
	body   map[string]any
}

func (r heard) code() string {
	s, _ := r.body["error"].(string)
	return s
}

// send sends a call with a signature.
func (h *fixture) send(t *testing.T, method, name, signature string, body []byte) heard {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.server.URL+Path+name, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if signature != "" {
		req.Header.Set(SignatureHeader, signature)
	}
	res, err := h.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := heard{status: res.StatusCode, header: res.Header}
	if err := json.Unmarshal(data, &out.body); err != nil {
		t.Fatalf("%s %s: %d, %q is not JSON: %v", method, name, res.StatusCode, data, err)
	}
	if message, _ := out.body["message"].(string); out.status != http.StatusOK && (message == "" || strings.HasPrefix(message, "api.error.")) {
		t.Errorf("%s %s: error %q says %q to its person", method, name, out.code(), message)
	}
	return out
}

// call signs and sends a call as it should be.
func (a *app) call(t *testing.T, name string, body any) heard {
	t.Helper()
	s := a.signing(name, body)
	return a.h.send(t, s.method, s.name, a.sign(s), s.body)
}

// must is call, of which nothing but success is wanted.
func (a *app) must(t *testing.T, name string, body any) map[string]any {
	t.Helper()
	r := a.call(t, name, body)
	if r.status != http.StatusOK {
		t.Fatalf("%s: %d %v", name, r.status, r.body)
	}
	return r.body
}

// fields are those of a JSON object.
type fields = map[string]any

// enrolled is an app that has become an active authenticator of a user.
func (h *fixture) enrolled(t *testing.T, user identity.User, push bool) *app {
	t.Helper()
	_, shown := h.Issued(t, user)
	a := h.newApp(t)
	a.id = a.must(t, "activate", fields{"secret": shown.Secret})["authenticator"].(string)
	a.must(t, "finish", fields{"push": push})
	return a
}

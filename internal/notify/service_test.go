package notify

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/webpush"
)

// A service is a push service on this machine (RFC 8030). It accepts messages for its
// subscribed browsers if the sender's token is valid, and passes them to the test. It
// shares no code with what it tests.
type service struct {
	*httptest.Server
	roots *x509.CertPool
	key   []byte           // the application server's, that browsers subscribed with
	now   func() time.Time // the time that tokens are checked at

	mu       sync.Mutex
	browsers map[string]*browser // by path
	taken    []delivery
	tokens   map[string]bool
	answers  []http.HandlerFunc // for the next calls, instead of accepting them
	calls    int
}

// A browser is a browser that has subscribed.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
	path string
	at   *service
}

// A delivery is an accepted message as the browser reads it.
type delivery struct {
	browser *browser
	ttl     int
	urgency string
	topic   string
	sent    message
	raw     []byte
}

func newService(t *testing.T, now func() time.Time) *service {
	t.Helper()
	s := &service{now: now, browsers: make(map[string]*browser), tokens: make(map[string]bool)}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // otherwise a disconnected sender would not be noticed
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		s.calls++
		var answer http.HandlerFunc
		if len(s.answers) > 0 {
			answer, s.answers = s.answers[0], s.answers[1:]
		}
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		status, err := s.receive(r)
		if err != nil {
			t.Errorf("push service: %v", err)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(s.Certificate())
	return s
}

// host is what an operator adds to the services to allow this one.
func (s *service) host() string { return strings.TrimPrefix(s.URL, "https://") }

// subscribe does what PushManager.subscribe does.
func (s *service) subscribe(t *testing.T) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key: key, auth: make([]byte, 16), path: "/wp/" + rand.Text(), at: s}
	rand.Read(b.auth)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers[b.path] = b
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// subscription is the browser's subscription as an app sends it.
func (b *browser) subscription(t *testing.T) webpush.Subscription {
	t.Helper()
	services, err := webpush.NewServices([]string{b.at.host()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := webpush.Parse(b.at.URL+b.path, b64(b.key.PublicKey().Bytes()), b64(b.auth), services)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer makes the next calls be answered by these handlers instead of being accepted.
func (s *service) answer(by ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = by
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// deliveries returns what was accepted since the last call.
func (s *service) deliveries() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.taken
	s.taken = nil
	return taken
}

// called returns the number of requests since the last call.
func (s *service) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls
	s.calls = 0
	return n
}

// receive checks a message according to RFC 8030, section 5, and RFC 8292, and
// decrypts it as the browser would.
func (s *service) receive(r *http.Request) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.browsers[r.URL.Path]
	if b == nil {
		return http.StatusGone, nil
	}
	if err := s.authorized(r.Header.Get("Authorization")); err != nil {
		return http.StatusForbidden, err
	}
	d := delivery{browser: b, urgency: r.Header.Get("Urgency"), topic: r.Header.Get("Topic")}
	var err error
	if d.ttl, err = strconv.Atoi(r.Header.Get("TTL")); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Encoding") != "aes128gcm" {
		return http.StatusBadRequest, fmt.Errorf("%s, TTL %q, Content-Encoding %q", r.Method, r.Header.Get("TTL"), r.Header.Get("Content-Encoding"))
	}
	if len(d.topic) > 32 || strings.Trim(d.topic, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return http.StatusBadRequest, fmt.Errorf("topic %q", d.topic)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 4096 {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("%d bytes: %w", len(body), err)
	}
	if d.raw, err = b.decrypt(body); err != nil {
		return http.StatusBadRequest, err
	}
	if err := json.Unmarshal(d.raw, &d.sent); err != nil {
		return http.StatusBadRequest, fmt.Errorf("%q: %w", d.raw, err)
	}
	s.taken = append(s.taken, d)
	return http.StatusCreated, nil
}

// authorized checks a VAPID header: a JWT signed by the key that the browsers
// subscribed with, for this service, not expired and valid for at most a day, with a
// contact that Apple accepts.
func (s *service) authorized(header string) error {
	var token, key string
	parameters, vapid := strings.CutPrefix(header, "vapid ")
	for _, p := range strings.Split(parameters, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch name {
		case "t":
			token = value
		case "k":
			key = value
		}
	}
	s.tokens[token] = true
	parts := strings.Split(token, ".")
	if !vapid || key != b64(s.key) || len(parts) != 3 {
		return fmt.Errorf("authorization %q, browsers subscribed with %s", header, b64(s.key))
	}
	var raw [3][]byte
	for i := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
			return err
		}
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), s.key)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if len(raw[2]) != 64 || !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
		return fmt.Errorf("token %s is signed by another", token)
	}
	var head struct{ Typ, Alg string }
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(raw[0], &head); err != nil {
		return err
	}
	if err := json.Unmarshal(raw[1], &claims); err != nil {
		return err
	}
	left := time.Unix(claims.Exp, 0).Sub(s.now())
	plausible := (strings.HasPrefix(claims.Sub, "mailto:") || strings.HasPrefix(claims.Sub, "https://")) && !strings.Contains(claims.Sub, "localhost")
	if head.Typ != "JWT" || head.Alg != "ES256" || claims.Aud != s.URL || left <= 0 || left > 24*time.Hour || !plausible {
		return fmt.Errorf("token %s %s, %v left, at %s", raw[0], raw[1], left, s.URL)
	}
	return nil
}

// decrypt decrypts a message as the browser does: RFC 8188, section 2, with the key
// of RFC 8291, section 3.4. HKDF is implemented here from RFC 5869.
func (b *browser) decrypt(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, fmt.Errorf("%d bytes, key of %d", len(body), body[20])
	}
	salt, size, theirs, record := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:86], body[86:]
	if int64(len(record)) > int64(size) {
		return nil, fmt.Errorf("a record of %d bytes, announced as %d: more than one", len(record), size)
	}
	sender, err := ecdh.P256().NewPublicKey(theirs)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(sender)
	if err != nil {
		return nil, err
	}
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	one := []byte{1}
	ikm := mac(mac(b.auth, shared), []byte("WebPush: info\x00"), b.key.PublicKey().Bytes(), theirs, one)
	prk := mac(salt, ikm)
	block, err := aes.NewCipher(mac(prk, []byte("Content-Encoding: aes128gcm\x00"), one)[:16])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, mac(prk, []byte("Content-Encoding: nonce\x00"), one)[:12], record, nil)
	if err != nil {
		return nil, err
	}
	end := len(strings.TrimRight(string(plain), "\x00")) - 1
	if end < 0 || plain[end] != 2 {
		return nil, fmt.Errorf("no delimiter in %q", plain)
	}
	return plain[:end], nil
}

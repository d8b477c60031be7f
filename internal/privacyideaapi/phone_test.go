package privacyideaapi

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/enroll/enrolltest"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales/localestest"
)

// One key of each side serves a whole run of the tests: making one takes half a
// second.
var (
	phoneKey  = sync.OnceValues(newServerKey)
	otherKey  = sync.OnceValues(newServerKey)
	serverKey = sync.OnceValues(newServerKey)
)

// A fixture is a tenant that allows the privacyIDEA Authenticator, and its address.
type fixture struct {
	*enrolltest.Fixture
	tenant string // base of the tenant's addresses
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
	h := &fixture{Fixture: enrolltest.New(t, in)}
	h.Rules.Platforms[identity.PrivacyIDEA] = policy.PlatformRule{Allowed: true, Push: true}
	h.SetPolicy(t, h.Rules.Platforms)
	catalog := localestest.Catalog(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := New(&web.Site{DB: h.DB, Catalog: catalog, Base: base, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, h.DB)
	p.newKey = serverKey
	p.Routes(mux)
	h.tenant = server.URL + "/t/" + h.Tenant.Slug
	return h
}

// scanned goes through the wizard and returns what the QR code holds.
func (h *fixture) scanned(t *testing.T) (*identity.Journey, string) {
	t.Helper()
	j := h.StartJourney(t, h.User)
	j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
	h.Step(t, j, func(tx *store.Tx) error {
		problem, err := enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.PrivacyIDEA, h.Rules, "de")
		if problem != "" {
			t.Errorf("ChoosePlatform: problem %q", problem)
		}
		return err
	})
	return j, h.link(t, j)
}

func (h *fixture) link(t *testing.T, j *identity.Journey) string {
	t.Helper()
	return h.Shown(t, j).PrivacyIDEALink(strings.TrimSuffix(h.tenant, "/t/"+h.Tenant.Slug), h.Tenant, h.User.Name, h.Clock.Now())
}

// A phone is a phone with the privacyIDEA Authenticator, written from the
// description of its protocol. It can send anything, so that the tests can lie.
type phone struct {
	h      *fixture
	key    *rsa.PrivateKey
	server *rsa.PublicKey // which the server said it signs with
	url    string
	serial string
	secret string
	last   time.Time // of the latest poll
}

// scan reads an enrolment link as the app does.
func (h *fixture) scan(t *testing.T, link string) *phone {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "pipush" || q.Get("v") != "1" || q.Get("sslverify") != "1" || q.Get("poll_only") != "True" ||
		q.Get("ttl") == "" || q.Get("issuer") == "" || len(q.Get("enrollment_credential")) != 40 {
		t.Fatalf("the app would not take %s", link)
	}
	key, err := phoneKey()
	if err != nil {
		t.Fatal(err)
	}
	return &phone{h: h, key: key, url: q.Get("url"), serial: q.Get("serial"), secret: q.Get("enrollment_credential")}
}

func (p *phone) sign(text string) string {
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return base32.StdEncoding.EncodeToString(signature)
}

// said is what the server answered: its status, and result and detail.
type said struct {
	status int
	text   string
	Result struct {
		Status bool            `json:"status"`
		Value  json.RawMessage `json:"value"`
		Error  struct {
			Message string `json:"message"`
		} `json:"error"`
	} `json:"result"`
	Detail struct {
		Key    string `json:"public_key"`
		Serial string `json:"serial"`
		State  string `json:"rollout_state"`
	} `json:"detail"`
}

func (p *phone) do(t *testing.T, r *http.Request) said {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := said{status: res.StatusCode, text: string(data)}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%d %q: %v", res.StatusCode, data, err)
	}
	if (out.status == http.StatusOK) != out.Result.Status {
		t.Errorf("%d says %s", out.status, data)
	}
	return out
}

func (p *phone) post(t *testing.T, form url.Values) said {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(t, r)
}

func (p *phone) registration() url.Values {
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		panic(err)
	}
	return url.Values{"enrollment_credential": {p.secret}, "serial": {p.serial}, "fbtoken": {"no_firebase_token"},
		"pubkey": {base64.StdEncoding.EncodeToString(der)}, "capabilities": {`["decline_reason"]`}}
}

// register registers, which must succeed.
func (p *phone) register(t *testing.T) {
	t.Helper()
	got := p.post(t, p.registration())
	der, err := base64.StdEncoding.DecodeString(got.Detail.Key)
	if got.status != http.StatusOK || string(got.Result.Value) != "true" || got.Detail.Serial != p.serial || got.Detail.State != "enrolled" || err != nil {
		t.Fatalf("registration: %d %s", got.status, got.text)
	}
	if p.server, err = x509.ParsePKCS1PublicKey(der); err != nil {
		t.Fatal(err)
	}
}

// asking is a poll of a moment, no two of one phone at the same.
func (p *phone) asking() url.Values {
	at := p.h.Clock.Now()
	if !at.After(p.last) {
		at = p.last.Add(time.Microsecond)
	}
	p.last = at
	timestamp := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	return url.Values{"serial": {p.serial}, "timestamp": {timestamp}, "signature": {p.sign(p.serial + "|" + timestamp)},
		"capabilities": {`["decline_reason"]`}}
}

func (p *phone) get(t *testing.T, query url.Values) said {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.do(t, r)
}

// poll asks what waits, and checks all that the app checks of it.
func (p *phone) poll(t *testing.T) []map[string]string {
	t.Helper()
	got := p.get(t, p.asking())
	var challenges []map[string]string
	if err := json.Unmarshal(got.Result.Value, &challenges); err != nil || got.status != http.StatusOK || challenges == nil {
		t.Fatalf("poll: %d %s, %v", got.status, got.text, err)
	}
	for _, c := range challenges {
		text := strings.Join([]string{c["nonce"], c["url"], c["serial"], c["question"], c["title"], c["sslverify"]}, "|")
		if options, ok := c["require_presence"]; ok {
			text += "|" + options
		}
		p.signedByServer(t, text, c["signature"])
		if capabilities, ok := c["capabilities"]; ok {
			p.signedByServer(t, `{"capabilities":`+capabilities+`,"nonce":"`+c["nonce"]+`"}`, c["capabilities_signature"])
		}
		if c["serial"] != p.serial || c["url"] != p.url || c["sslverify"] != "1" {
			t.Errorf("challenge %v", c)
		}
	}
	return challenges
}

func (p *phone) signedByServer(t *testing.T, text, signature string) {
	t.Helper()
	raw, err := base32.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(p.server, crypto.SHA256, digest[:], raw); err != nil {
		t.Errorf("the app would drop %q: %v", text, err)
	}
}

// saying is an answer; more are the fields besides and what they add to what is
// signed.
func (p *phone) saying(nonce, signed string, more ...string) url.Values {
	form := url.Values{"serial": {p.serial}, "nonce": {nonce}, "signature": {p.sign(nonce + "|" + p.serial + signed)}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// enrolledStore is a phone that has become an authenticator of the fixture's user.
func (h *fixture) enrolled(t *testing.T) *phone {
	t.Helper()
	_, link := h.scanned(t)
	p := h.scan(t, link)
	p.register(t)
	return p
}

// pushed starts a push request of a new journey.
func (h *fixture) pushed(t *testing.T, presence policy.Presence) store.PushRequest {
	t.Helper()
	j := h.Journey(t, "browser")
	var p store.PushRequest
	h.Do(t, func(tx *store.Tx) (err error) {
		p, err = push.Start(t.Context(), tx, j, push.Display{Application: "Payroll", Place: "Bergen, Norway"}, presence, policy.DefaultPush())
		return err
	})
	return p
}

// nonceOf is the nonce of a request as its challenge has it, for who was shown
// none.
func nonceOf(w store.PushRequest) string {
	return strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(w.Nonce)), "=")
}

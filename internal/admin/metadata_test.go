package admin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A publisher is a service provider's web server.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   string
	asked  int
	during func() // happens while somebody waits for the answer
}

func startPublisher(t *testing.T, body string) *publisher {
	t.Helper()
	p := &publisher{}
	p.answer(http.StatusOK, body)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		during := p.during
		p.during = nil
		p.mu.Unlock()
		if during != nil {
			during()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked++
		w.WriteHeader(p.status)
		fmt.Fprint(w, p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

// answer makes the publisher answer otherwise from now on.
func (p *publisher) answer(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *publisher) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

const entityID = "https://payroll.example.org/saml"

// spMetadata is metadata: root holds attributes of the root, keys certificates in
// Base64, acs the addresses for answers.
func spMetadata(id, root string, keys []string, acs ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s" %s>`, id, root)
	b.WriteString(`<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`)
	for _, k := range keys {
		b.WriteString(`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + k +
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	for i, a := range acs {
		fmt.Fprintf(&b, `<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="%s" index="%d"/>`, a, i)
	}
	return b.String() + `</SPSSODescriptor></EntityDescriptor>`
}

func validUntil(t time.Time) string {
	return `validUntil="` + t.UTC().Format(time.RFC3339) + `"`
}

// certificate returns a fresh one in Base64, and its fingerprint.
func certificate(t *testing.T) (text, sum string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "payroll"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(der), hex.EncodeToString(hash[:])
}

const acs, acs2 = "https://payroll.example.org/acs", "https://payroll.example.org/acs2"

func metadata(h *storetest.Fixture) Metadata {
	return Metadata{DB: h.DB, Client: outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})}
}

func events(t *testing.T, h *storetest.Fixture, kind audit.Kind) []audit.Event {
	t.Helper()
	all, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind}))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func settings(t *testing.T, h *storetest.Fixture, id string) samlsp.Settings {
	t.Helper()
	app, err := h.DB.Applications().Get(t.Context(), h.Tenant.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := samlsp.SettingsOf(app)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func source(t *testing.T, h *storetest.Fixture, id string) store.MetadataSource {
	t.Helper()
	m, err := h.DB.Metadata().Source(t.Context(), h.Tenant.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A changed key or address is shown, applied, and recorded with what was and
// what is.
func TestSAML2_MetadataIsRefreshed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		oldKey, oldSum := certificate(t)
		newKey, newSum := certificate(t)
		p, m := startPublisher(t, spMetadata(entityID, "", []string{oldKey}, acs)), metadata(h)
		app, err := m.Add(t.Context(), h.Who, h.Tenant.ID, p.URL, "Payroll 2", "https://payroll.example.org/", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := source(t, h, app.ID); got.URL != p.URL || got.DueAt != h.Clock.Now().Add(defaultRefresh) || got.Failure != "" {
			t.Errorf("source: %+v", got)
		}
		tell := func(wantErr bool, want ...string) {
			t.Helper()
			told := 0
			err := m.RefreshDue(t.Context(), h.Who, 10, func(s store.MetadataSource, changes []string, err error) {
				told++
				if s.Application != app.ID || (err != nil) != wantErr || strings.Join(changes, "\n") != strings.Join(want, "\n") {
					t.Errorf("told of %s: %q, %v; want %q", s.Application, changes, err, want)
				}
			})
			if err != nil || told != 1 {
				t.Errorf("told %d times, %v", told, err)
			}
		}
		asked := p.requests()
		if err := m.RefreshDue(t.Context(), h.Who, 10, nil); err != nil || p.requests() != asked {
			t.Errorf("fetched before it was due: %v", err)
		}

		h.Clock.Advance(defaultRefresh)
		tell(false)
		if got := events(t, h, audit.ApplicationChanged); len(got) != 0 {
			t.Errorf("nothing changed, and %d events say so", len(got))
		}

		p.answer(http.StatusOK, spMetadata(entityID, "", []string{newKey}, acs2))
		h.Clock.Advance(defaultRefresh)
		tell(false, "key added: SHA-256 "+newSum+" of ECDSA P-256, CN=payroll", "key gone: SHA-256 "+oldSum+" of ECDSA P-256, CN=payroll",
			"address for answers added: "+acs2, "address for answers gone: "+acs, "default address for answers: "+acs2+", was "+acs)
		now := settings(t, h, app.ID)
		if len(now.Certificates) != 1 || now.Certificates[0].SHA256 != newSum || len(now.ACS) != 1 || now.ACS[0] != acs2 || len(now.Attributes) == 0 {
			t.Errorf("settings: %+v", now)
		}
		got := events(t, h, audit.ApplicationChanged)
		if len(got) != 1 || !strings.Contains(got[0].Data["before"], oldKey) || !strings.Contains(got[0].Data["after"], newKey) ||
			!strings.Contains(got[0].Data["before"], acs+`"`) || !strings.Contains(got[0].Data["after"], acs2) || got[0].Application != app.ID {
			t.Errorf("events: %+v, want one with the old and the new value", got)
		}
		if again, err := h.DB.Applications().Get(t.Context(), h.Tenant.ID, app.ID); err != nil || again.Name != "Payroll 2" || again.Home == "" {
			t.Errorf("what the operator decided: %+v, %v", again, err)
		}
	})
}

// A refresh that fails keeps the last good metadata, and is told once.
func TestSAML2_AFailedRefreshKeepsTheLastGood(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		key, sum := certificate(t)
		good := spMetadata(entityID, "", []string{key}, acs)
		p, m := startPublisher(t, good), metadata(h)
		app, err := m.Add(t.Context(), h.Who, h.Tenant.ID, p.URL, "", "", "")
		if err != nil {
			t.Fatal(err)
		}
		fetched := source(t, h, app.ID).FetchedAt
		refresh := func() error {
			_, err := m.Refresh(t.Context(), h.Who, h.Tenant.ID, app.ID)
			return err
		}
		for i, tt := range []struct {
			name   string
			status int
			body   string
			says   string
		}{
			{"an error", http.StatusInternalServerError, good, "answered 500"},
			{"gone", http.StatusNotFound, good, "answered 404"},
			{"nothing", http.StatusOK, "", "0 documents"},
			{"a login page", http.StatusOK, "<html><body/></html>", "not SAML metadata"},
			{"another's", http.StatusOK, spMetadata("https://evil.example.org", "", []string{key}, acs), "not of"},
			{"run out", http.StatusOK, spMetadata(entityID, validUntil(h.Clock.Now().Add(-time.Hour)), []string{key}, acs), "valid until"},
			{"an address without https", http.StatusOK, spMetadata(entityID, "", []string{key}, "http://payroll.example.org/acs"), "https://"},
			{"a key that is none", http.StatusOK, spMetadata(entityID, "", []string{"AAAA"}, acs), "certificate"},
			{"without end", http.StatusOK, strings.Repeat(" ", samlsp.MaxMetadata+1), "more than"},
			{"elsewhere", http.StatusFound, "", "answered 302"},
		} {
			p.answer(tt.status, tt.body)
			if err := refresh(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
			}
			s := source(t, h, app.ID)
			if s.Failures != int64(i+1) || !strings.Contains(s.Failure, tt.says) || s.FetchedAt != fetched {
				t.Errorf("%s: source is %+v", tt.name, s)
			}
			if failures := events(t, h, audit.MetadataFailed); len(failures) != i+1 || !strings.Contains(failures[0].Data["failure"], tt.says) {
				t.Errorf("%s: %d events, the last %+v", tt.name, len(failures), failures)
			}
			h.Clock.Advance(time.Second) // so that the newest event is the newest
		}
		before := len(events(t, h, audit.MetadataFailed))
		if refresh() == nil || len(events(t, h, audit.MetadataFailed)) != before {
			t.Error("the same failure once more is another event")
		}
		if got := source(t, h, app.ID).DueAt.Sub(h.Clock.Now()); got != maxRetry {
			t.Errorf("after many failures the next try is in %v, want %v", got, maxRetry)
		}
		if now := settings(t, h, app.ID); len(now.Certificates) != 1 || now.Certificates[0].SHA256 != sum || now.ACS[0] != acs {
			t.Errorf("settings: %+v, want the last good ones", now)
		}
		if got := events(t, h, audit.ApplicationChanged); len(got) != 0 {
			t.Errorf("%d events of a change", len(got))
		}
		p.answer(http.StatusOK, good)
		if err := refresh(); err != nil || source(t, h, app.ID).Failure != "" || source(t, h, app.ID).Failures != 0 {
			t.Errorf("after it was mended: %v, %+v", err, source(t, h, app.ID))
		}
		p.Close()
		if err := refresh(); err == nil || source(t, h, app.ID).DueAt.Sub(h.Clock.Now()) != minRefresh {
			t.Errorf("nobody there: %v, %+v", err, source(t, h, app.ID))
		}
	})
}

// What an operator decides while metadata is being fetched is not undone by it.
func TestSAML2_AnOperatorIsFaster(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		old, other, m := startPublisher(t, spMetadata(entityID, "", nil, acs)), startPublisher(t, spMetadata(entityID, "", nil, acs2)), metadata(h)
		app, err := m.Add(t.Context(), h.Who, h.Tenant.ID, old.URL, "", "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []int{http.StatusOK, http.StatusNotFound} {
			if _, err := m.SetSource(t.Context(), h.Who, h.Tenant.ID, app.ID, old.URL); err != nil {
				t.Fatal(err)
			}
			old.answer(status, spMetadata(entityID, "", nil, acs))
			old.during = func() {
				if _, err := m.SetSource(t.Context(), h.Who, h.Tenant.ID, app.ID, other.URL); err != nil {
					t.Error(err)
				}
			}
			if _, err := m.Refresh(t.Context(), h.Who, h.Tenant.ID, app.ID); !errors.Is(err, identity.Conflict) {
				t.Errorf("%d: %v, want a Conflict", status, err)
			}
			if s := source(t, h, app.ID); s.URL != other.URL || s.Failures != 0 || settings(t, h, app.ID).ACS[0] != acs2 {
				t.Errorf("%d: from %s with %d failures, want what the operator decided", status, s.URL, s.Failures)
			}
			old.answer(http.StatusOK, spMetadata(entityID, "", nil, acs))
		}
	})
}

// How long metadata says it holds counts, within bounds.
func TestSAML2_MetadataHoldsAsLongAsItSays(t *testing.T) {
	h := storetest.SQLite(t)
	now := h.Clock.Now()
	for _, tt := range []struct {
		name, root string
		due        time.Duration
		good       time.Duration // 0 is for ever
	}{
		{"says nothing", "", defaultRefresh, 0},
		{"an hour", `cacheDuration="PT1H"`, time.Hour, 0},
		{"a second", `cacheDuration="PT1S"`, minRefresh, 0},
		{"a year", `cacheDuration="P1Y"`, maxRefresh, 0},
		{"negative", `cacheDuration="-P1Y"`, defaultRefresh, 0},
		{"ends in a year", validUntil(now.Add(365 * 24 * time.Hour)), defaultRefresh, 365 * 24 * time.Hour},
		{"ends in two hours", validUntil(now.Add(2 * time.Hour)), time.Hour, minValidity},
		{"ends in a minute", validUntil(now.Add(time.Minute)), minRefresh, minValidity},
		{"ends in two hours, and a day", validUntil(now.Add(2*time.Hour)) + ` cacheDuration="P1D"`, time.Hour, minValidity},
		{"ends in ten days, and an hour", validUntil(now.Add(240*time.Hour)) + ` cacheDuration="PT1H"`, time.Hour, 240 * time.Hour},
	} {
		said, err := samlsp.ReadMetadata([]byte(spMetadata(entityID, tt.root, nil, acs)), "", now)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := nextFetch(said, now).Sub(now); got != tt.due {
			t.Errorf("%s: asked again after %v, want %v", tt.name, got, tt.due)
		}
		good := goodUntil(said, now)
		if tt.good == 0 != good.IsZero() || tt.good != 0 && !good.Equal(now.Add(tt.good)) {
			t.Errorf("%s: good until %v, want after %v", tt.name, good, tt.good)
		}
	}
	// The least of what is said on the way down counts.
	group := `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ` + validUntil(now.Add(100*time.Hour)) + ` cacheDuration="PT2H">` +
		spMetadata(entityID, validUntil(now.Add(200*time.Hour))+` cacheDuration="PT3H"`, nil, acs) + `</EntitiesDescriptor>`
	if said, err := samlsp.ReadMetadata([]byte(group), "", now); err != nil || said.CacheFor != 2*time.Hour || !said.ValidUntil.Equal(now.Add(100*time.Hour)) {
		t.Errorf("a group: %+v, %v", said, err)
	}
	role := strings.Replace(spMetadata(entityID, `cacheDuration="PT3H"`, nil, acs), "<SPSSODescriptor ", `<SPSSODescriptor cacheDuration="PT30M" `+validUntil(now.Add(time.Hour))+" ", 1)
	if said, err := samlsp.ReadMetadata([]byte(role), "", now); err != nil || said.CacheFor != 30*time.Minute || !said.ValidUntil.Equal(now.Add(time.Hour)) {
		t.Errorf("a role: %+v, %v", said, err)
	}
	if _, err := samlsp.ReadMetadata([]byte(strings.Replace(role, "PT30M", "soon", 1)), "", now); err == nil {
		t.Error("a cacheDuration that is none is taken")
	}
	if _, err := samlsp.ReadMetadata([]byte(strings.Replace(group, validUntil(now.Add(100*time.Hour)), validUntil(now.Add(-time.Hour)), 1)), "", now); err == nil {
		t.Error("a group that has run out is taken")
	}
}

// The address metadata comes from can be another, or a file in its place.
func TestSAML2_PointAndReplace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		p, m := startPublisher(t, spMetadata(entityID, "", nil, acs)), metadata(h)
		byHand, err := samlsp.ApplicationFromMetadata([]byte(spMetadata(entityID, "", nil, acs)), "")
		if err != nil {
			t.Fatal(err)
		}
		app, err := AddApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, byHand)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Refresh(t.Context(), h.Who, h.Tenant.ID, app.ID); !errors.Is(err, identity.Invalid) {
			t.Errorf("refresh of what came by hand: %v, want Invalid", err)
		}
		if changes, err := m.SetSource(t.Context(), h.Who, h.Tenant.ID, app.ID, p.URL); err != nil || len(changes) != 0 {
			t.Errorf("point: %q, %v", changes, err)
		}
		p.answer(http.StatusOK, spMetadata("https://other.example.org", "", nil, acs))
		if _, err := m.SetSource(t.Context(), h.Who, h.Tenant.ID, app.ID, p.URL+"/other"); !errors.Is(err, identity.Invalid) {
			t.Errorf("metadata of another: %v, want Invalid", err)
		}
		if changes, err := m.Replace(t.Context(), h.Who, h.Tenant.ID, app.ID, []byte(spMetadata(entityID, "", nil, acs2))); err != nil || len(changes) != 3 {
			t.Errorf("replace: %q, %v", changes, err)
		}
		if _, err := h.DB.Metadata().Source(t.Context(), h.Tenant.ID, app.ID); !errors.Is(err, identity.NotFound) {
			t.Errorf("still fetched: %v", err)
		}
		if got := events(t, h, audit.MetadataSource); len(got) != 2 {
			t.Errorf("%d events of where it comes from, want 2", len(got))
		}
		for _, address := range []string{"", "payroll.xml", "ftp://example.org/", "http://10.0.0.1/", "https://localhost/", p.URL + "#x", "http://user@127.0.0.1/"} {
			if _, err := m.SetSource(t.Context(), h.Who, h.Tenant.ID, app.ID, address); err == nil {
				t.Errorf("%q is fetched from", address)
			}
		}
		if _, err := m.SetSource(t.Context(), h.Who, "ten_other", app.ID, p.URL); err == nil {
			t.Error("another tenant's application was changed")
		}
	})
}

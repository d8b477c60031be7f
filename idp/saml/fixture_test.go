package saml

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/web/webtest"
)

// A fixture is a tenant with a user behind a real server. Logging in is cut
// short: whoever begins a journey in it has logged in already.
type fixture struct {
	*storetest.Fixture
	t       testing.TB
	idp     *idp.IdP
	face    *Face
	base    string
	groups  []identity.Group
	want    journey.Request // what the last journey was asked for
	refuse  idp.Refusal     // what journeys end with, if set
	session string          // id of the last session
	log     *diary
}

// A diary keeps what was logged.
type diary struct {
	mu sync.Mutex
	b  strings.Builder
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.Write(p)
}

// tear returns what was logged, and forgets it.
func (d *diary) tear() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.b.Reset()
	return d.b.String()
}

// each runs f against every database at hand.
func each(t *testing.T, f func(t *testing.T, h *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) { f(t, build(t, h)) })
}

// one is a fixture on SQLite, for what does not depend on the database.
func one(t *testing.T) *fixture {
	t.Helper()
	return build(t, storetest.SQLite(t))
}

func build(t *testing.T, in *storetest.Fixture) *fixture {
	t.Helper()
	h := &fixture{Fixture: in, t: t, log: new(diary)}
	h.Clock.Advance(time.Since(h.Clock.Now()).Truncate(time.Second)) // independent programs use the real time
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	site := webtest.Site(t, h.DB, srv.URL)
	site.Log = slog.New(slog.NewJSONHandler(io.MultiWriter(h.log, t.Output()), nil))
	h.idp = &idp.IdP{Site: site, DB: h.DB, Keys: &signingkey.Cache{DB: h.DB}}
	h.face = New(h.idp)
	h.idp.Protocols = map[identity.Protocol]idp.Protocol{identity.SAML: h.face}
	h.face.Routes(mux)
	mux.Handle("GET /t/{tenant}/begin/{request}", site.Handle(h.begin))
	h.base = srv.URL + "/t/demo"
	h.Do(t, func(tx *store.Tx) error { return signingkey.Make(t.Context(), tx, h.Tenant) })
	return h
}

// begin stands for a whole journey, by password and passcode.
func (h *fixture) begin(w http.ResponseWriter, r *http.Request) error {
	site, ctx := h.idp.Site, r.Context()
	t, err := site.Tenant(r)
	if err != nil {
		return err
	}
	browser, err := site.EnsureBrowser(w, r, t)
	if err != nil {
		return err
	}
	now := h.Clock.Now()
	session := identity.Session{Tenant: t.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: browser, Idle: time.Hour,
		ExpiresAt: now.Add(12 * time.Hour), AuthTime: now.Add(-time.Minute),
		Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now},
			{Validation: identity.SecondFactor, Method: identity.ByPasscode, At: now}}}
	h.session = session.ID
	var reply idp.Reply
	err = h.DB.InTx(ctx, site.AnonymousPrincipal(r, t), func(tx *store.Tx) error {
		stored, err := tx.Requests().Take(ctx, t.ID, r.PathValue("request"))
		if err != nil {
			return err
		}
		h.want = journey.Request{}
		if err := json.Unmarshal(stored.Wants, &h.want); err != nil {
			return err
		}
		app, err := tx.Applications().Get(ctx, t.ID, stored.Application)
		if err != nil {
			return err
		}
		protocol := h.idp.Protocols[app.Protocol]
		acr, reachable := (journey.Rules{}).Acceptable(h.want.ACR, h.want.Comparison)
		if !reachable {
			h.refuse = idp.ContextUnmet
			defer func() { h.refuse = "" }()
		}
		if h.refuse != "" {
			reply, err = protocol.Refuse(ctx, t, app, h.want.Payload, h.refuse)
			return err
		}
		if err := tx.Sessions().Save(ctx, session, identity.NewSecret()); err != nil {
			return err
		}
		reply, err = protocol.Grant(ctx, tx, idp.Login{Tenant: t, Application: app, User: h.User, Groups: h.groups, Session: session,
			Payload: h.want.Payload, ACR: (journey.Rules{}).Reached(&identity.Journey{ACR: acr, Protocol: identity.SAML, Passed: session.Passed}), AMR: journey.References(session.Passed),
			AuthTime: session.AuthTime})
		return err
	})
	if err != nil {
		return err
	}
	return reply(w, r)
}

// A party is an application and its keys.
type party struct {
	*fixture
	app  identity.Application
	acs  string
	key  crypto.Signer
	cert []byte
}

func (h *fixture) add(s samlsptest.Shape) *party {
	h.t.Helper()
	if s.EntityID == "" {
		s.EntityID = "https://sp.example/saml"
	}
	if s.Key == nil {
		s.Key = samlsptest.SharedKey()
	}
	metadata, cert := samlsptest.Describe(h.t, s)
	app, err := samlsp.ApplicationFromMetadata([]byte(metadata), "Payroll")
	if err != nil {
		h.t.Fatal(err)
	}
	return h.join(app, s.Key, cert)
}

func (h *fixture) join(app identity.Application, key crypto.Signer, cert []byte) *party {
	h.t.Helper()
	app.Tenant = h.Tenant.ID
	err := h.DB.InTx(h.t.Context(), h.Who, func(tx *store.Tx) error { return tx.Applications().Add(h.t.Context(), app) })
	if err != nil {
		h.t.Fatal(err)
	}
	return &party{fixture: h, app: app, acs: samlsptest.ACS, key: key, cert: cert}
}

// request writes a good request, with attributes and children of its own.
func (p *party) request(attributes, children string) string {
	return p.requestAs("_"+identity.NewSecret(), attributes, children)
}

func (p *party) requestAs(id, attributes, children string) string {
	for name, value := range map[string]string{"Version": "2.0", "IssueInstant": p.Clock.Now().Format("2006-01-02T15:04:05Z"),
		"Destination": p.base + "/saml/sso"} {
		if !strings.Contains(attributes, name+"=") {
			attributes += " " + name + `="` + value + `"`
		}
	}
	return `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="` + id + `" ` +
		attributes + `><saml:Issuer>` + html.EscapeString(p.app.Identifier) + `</saml:Issuer>` + children + `</samlp:AuthnRequest>`
}

// sign signs a request in the document, the way applications do, behind its
// Issuer.
func (p *party) sign(doc string) string {
	p.t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		p.t.Fatal(err)
	}
	if err := sign(tree.Root(), signingkey.Key{Signer: p.key, Certificate: p.cert}, 1); err != nil {
		p.t.Fatal(err)
	}
	out, err := write(tree.Root())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

const rsaSHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

// query packs a request for the Redirect binding, signed if method says how.
func (p *party) query(doc, relayState, method string) string {
	p.t.Helper()
	q := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflate(p.t, []byte(doc))))
	if relayState != "" {
		q += "&RelayState=" + url.QueryEscape(relayState)
	}
	if method == "" {
		return q
	}
	q += "&SigAlg=" + url.QueryEscape(method)
	digest := sha256.Sum256([]byte(q))
	signature, err := p.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	return q + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
}

func deflate(t testing.TB, doc []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(doc)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An answer is what a browser was given in the end.
type answer struct {
	*http.Response
	t    testing.TB
	body string
}

func (h *fixture) read(res *http.Response, err error) answer {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{res, h.t, string(body)}
}

func (h *fixture) client() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// redirect sends a query by the Redirect binding.
func (h *fixture) redirect(query string) answer {
	h.t.Helper()
	return h.read(h.client().Get(h.base + "/saml/sso?" + query))
}

// post sends a request by the POST binding.
func (h *fixture) post(doc, relayState string) answer {
	h.t.Helper()
	form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(doc))}}
	if relayState != "" {
		form.Set("RelayState", relayState)
	}
	return h.postForm(form, "")
}

// postForm sends a form to the address of requests, with a query or none.
func (h *fixture) postForm(form url.Values, query string) answer {
	h.t.Helper()
	return h.read(h.client().PostForm(h.base+"/saml/sso"+query, form))
}

var (
	formTo    = regexp.MustCompile(`<form id="autosubmit" method="post" action="([^"]*)"`)
	formField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// form reads the form an answer posts to an application; to is empty if it is
// no such page.
func (a answer) form() (to string, fields url.Values) {
	found := formTo.FindStringSubmatch(a.body)
	if found == nil {
		return "", nil
	}
	fields = make(url.Values)
	for _, f := range formField.FindAllStringSubmatch(a.body, -1) {
		fields.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(found[1]), fields
}

// response reads the response an answer posts, without checking it.
func (a answer) response() (raw []byte, r saml.Response) {
	a.t.Helper()
	to, fields := a.form()
	if to == "" {
		a.t.Fatalf("no form, but %d:\n%s", a.StatusCode, a.body)
	}
	raw, err := base64.StdEncoding.DecodeString(fields.Get("SAMLResponse"))
	if err == nil {
		err = xml.Unmarshal(raw, &r)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return raw, r
}

// status is how a request fared, without the names' common beginning.
func (a answer) status() string {
	a.t.Helper()
	_, r := a.response()
	short := func(s string) string { return strings.TrimPrefix(s, "urn:oasis:names:tc:SAML:2.0:status:") }
	s := short(r.Status.StatusCode.Value)
	if below := r.Status.StatusCode.StatusCode; below != nil {
		s += "/" + short(below.Value)
	}
	return s
}

// granted reports whether an answer brings an assertion.
func (a answer) granted() bool {
	if to, _ := a.form(); to == "" {
		return false
	}
	_, r := a.response()
	return r.Assertion != nil
}

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sideBySide signs the way XML Signature wants it: r and s, without ASN.1.
type sideBySide struct{ *ecdsa.PrivateKey }

func (k sideBySide) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, digest)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

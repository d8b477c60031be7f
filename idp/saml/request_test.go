package saml

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/strictxml"
)

// The Redirect binding signs the query as it was sent, and nothing that was
// done to it since.
func TestSAML2_SignedQueries(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{Signs: true})
	change := func(old, new string) func(q string) string {
		return func(q string) string { return strings.Replace(q, old, new, 1) }
	}
	for _, tt := range []struct {
		name   string
		change func(q string) string
		good   bool
	}{
		{"as sent", func(q string) string { return q }, true},
		{"with another program's parameter", func(q string) string { return "utm=1&" + q }, true},
		{"in another order", func(q string) string {
			parts := strings.Split(q, "&")
			slices.Reverse(parts)
			return strings.Join(parts, "&")
		}, true}, // the order to verify is the standard's, not the sender's
		{"another RelayState", change("RelayState=one", "RelayState=two"), false},
		{"no RelayState", change("&RelayState=one", ""), false},
		{"an empty RelayState", change("RelayState=one", "RelayState="), false},
		{"encoded otherwise", change("RelayState=one", "RelayState=%6fne"), false},
		{"a second RelayState", change("RelayState=one", "RelayState=one&RelayState=two"), false},
		{"a second RelayState in disguise", change("RelayState=one", "RelayState=one&Relay%53tate=two"), false},
		{"a second SAMLRequest", func(q string) string { return q + "&" + p.query(p.request("", ""), "", "") }, false},
		{"without its signature", func(q string) string { return q[:strings.Index(q, "&SigAlg")] }, false},
		{"without its method", func(q string) string {
			return q[:strings.Index(q, "&SigAlg")] + q[strings.Index(q, "&Signature"):]
		}, false},
		{"with a method alone", func(q string) string { return q[:strings.Index(q, "&Signature")] }, false},
		{"with an empty signature", func(q string) string { return q[:strings.Index(q, "&Signature")] + "&Signature=" }, false},
		{"of SHA-1", change("rsa-sha256", "rsa-sha1"), false},
		{"of an HMAC with the public key", change("rsa-sha256", "hmac-sha256"), false},
		{"of none", change(url.QueryEscape(rsaSHA256), "none"), false},
		{"of no base64", func(q string) string { return q[:strings.Index(q, "&Signature")] + "&Signature=%00" }, false},
		{"called elliptic", func(string) string { // by a key of RSA
			return p.query(p.request("", ""), "one", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
		}, false},
		{"to nowhere in particular", func(string) string {
			return p.query(strings.Replace(p.request("", ""), "Destination=", "Consent=", 1), "one", rsaSHA256)
		}, false},
		{"in an encoding we lack", func(q string) string { return q + "&SAMLEncoding=urn:x" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := h.redirect(tt.change(p.query(p.request("", ""), "one", rsaSHA256)))
			if a.granted() != tt.good {
				t.Errorf("granted %v (%d), want %v: %s", a.granted(), a.StatusCode, tt.good, h.log.tear())
			}
		})
	}
	another := *p
	another.key = newRSA(t)
	if h.redirect(another.query(p.request("", ""), "", rsaSHA256)).granted() {
		t.Error("granted for another's key")
	}
}

// A craft is a signature made by hand, to have it wrong in one place.
type craft struct {
	canonical, method, digest, uri, transforms, value string
	more                                              string // in SignedInfo, behind the reference
	keyInfo                                           string
}

func (p *party) craft(c craft) string {
	p.t.Helper()
	id := "_a" + fmt.Sprint(craftID.Add(1))
	doc := p.requestAs(id, "", "")
	// The document is in canonical form but for the order of its attributes.
	root := strings.Index(doc, "<saml:Issuer>")
	canonical := fmt.Sprintf(`<samlp:AuthnRequest xmlns:samlp=%q Destination=%q ID=%q IssueInstant=%q Version="2.0">`,
		protocolNS, p.base+"/saml/sso", id, p.Clock.Now().Format("2006-01-02T15:04:05Z"))
	digested := strings.Replace(canonical+doc[root:], "<saml:Issuer>", `<saml:Issuer xmlns:saml="`+assertionNS+`">`, 1)
	sum := sha256.Sum256([]byte(digested))
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&c.canonical, exclusive)
	set(&c.method, rsaSHA256)
	set(&c.digest, "http://www.w3.org/2001/04/xmlenc#sha256")
	set(&c.uri, "#"+id)
	set(&c.transforms, `<ds:Transform Algorithm="`+enveloped+`"></ds:Transform><ds:Transform Algorithm="`+exclusive+`"></ds:Transform>`)
	set(&c.value, base64.StdEncoding.EncodeToString(sum[:]))
	info := `<ds:SignedInfo xmlns:ds="` + signatureNS + `"><ds:CanonicalizationMethod Algorithm="` + c.canonical + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + c.method + `"></ds:SignatureMethod><ds:Reference URI="` + strings.TrimPrefix(c.uri, "=") + `"><ds:Transforms>` + c.transforms +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + c.digest + `"></ds:DigestMethod><ds:DigestValue>` + c.value + `</ds:DigestValue></ds:Reference>` + c.more + `</ds:SignedInfo>`
	infoSum := sha256.Sum256([]byte(info))
	mark, err := p.key.Sign(rand.Reader, infoSum[:], crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Replace(doc, "</saml:Issuer>", `</saml:Issuer><ds:Signature xmlns:ds="`+signatureNS+`">`+info+
		`<ds:SignatureValue>`+base64.StdEncoding.EncodeToString(mark)+`</ds:SignatureValue>`+c.keyInfo+`</ds:Signature>`, 1)
}

var craftID atomic.Int64

// Of all that XML Signature allows, one thing is accepted.
func TestSAML6_CraftedSignatures(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{Signs: true})
	mine := samlsptest.Certify(t, ecdsaKey(t))
	keyInfo := func(der []byte) string {
		return `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(der) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
	}
	transform := func(algorithm string) string { return `<ds:Transform Algorithm="` + algorithm + `"></ds:Transform>` }
	for _, tt := range []struct {
		name  string
		craft craft
		cause string // empty: accepted
	}{
		{"good", craft{}, ""},
		{"with the known certificate", craft{keyInfo: keyInfo(p.cert)}, ""},
		{"with another certificate beside a good signature", craft{keyInfo: keyInfo(mine)}, ""}, // not looked at
		{"reference to nothing in particular", craft{uri: "="}, `reference to ""`},
		{"reference to another", craft{uri: "#other"}, "reference to"},
		{"reference by XPointer", craft{uri: "#xpointer(/)"}, "reference to"},
		{"two references", craft{more: `<ds:Reference URI="#other"></ds:Reference>`}, "2 references"},
		{"digest of something else", craft{value: base64.StdEncoding.EncodeToString(make([]byte, 32))}, "digest is of something else"},
		{"digest by SHA-1", craft{digest: "http://www.w3.org/2000/09/xmldsig#sha1"}, "digest method"},
		{"signature by SHA-1", craft{method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}, "signature method"},
		{"signature by HMAC", craft{method: "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"}, "signature method"},
		{"inclusive canonicalization", craft{canonical: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"}, "canonicalization method"},
		{"with comments", craft{canonical: exclusive + "WithComments"}, "canonicalization method"},
		{"no transform", craft{transforms: " "}, "other transforms"},
		{"a stylesheet", craft{transforms: transform(enveloped) + transform("http://www.w3.org/TR/1999/REC-xslt-19991116")}, "other transforms"},
		{"three transforms", craft{transforms: transform(enveloped) + transform(exclusive) + transform(exclusive)}, "other transforms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.log.tear()
			a := h.post(p.craft(tt.craft), "")
			if cause := unquoted(h.log.tear()); a.granted() != (tt.cause == "") || !strings.Contains(cause, tt.cause) {
				t.Errorf("granted %v, want cause %q; cause: %s", a.granted(), tt.cause, cause)
			}
		})
	}
	forger := *p
	forger.key = newRSA(t)
	for name, c := range map[string]craft{"no key": {}, "his own key": {keyInfo: keyInfo(samlsptest.Certify(t, forger.key))}} {
		if h.post(forger.craft(c), "").granted() {
			t.Errorf("a forger's signature with %s was accepted", name)
		}
	}
}

// Applications with an elliptic key write its signatures in two ways.
func TestSAML2_EllipticSignatures(t *testing.T) {
	h := one(t)
	key := ecdsaKey(t)
	p := h.add(samlsptest.Shape{Signs: true, Key: key})
	method := "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	if a := h.redirect(p.query(p.request("", ""), "", method)); !a.granted() {
		t.Errorf("ASN.1 refused: %s", h.log.tear())
	}
	p.key = sideBySide{key}
	if a := h.redirect(p.query(p.request("", ""), "", method)); !a.granted() {
		t.Errorf("r and s side by side refused: %s", h.log.tear())
	}
	if h.redirect(p.query(p.request("", ""), "", rsaSHA256)).granted() {
		t.Error("an elliptic signature passed for one of RSA")
	}
}

// A request is good for one answer: the second of its ID is refused, at the
// same time or later, and whether it is signed or not.
func TestSAML6_Replay(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		p := h.add(samlsptest.Shape{})
		signs := h.add(samlsptest.Shape{EntityID: "https://signs.example/saml", Signs: true})
		query := signs.query(signs.request("", ""), "", rsaSHA256)
		doc := p.request("", "")
		for name, send := range map[string]func() answer{
			"signed":   func() answer { return h.redirect(query) },
			"unsigned": func() answer { return h.post(doc, "") },
		} {
			var wg sync.WaitGroup
			var granted, expired atomic.Int32
			for range 8 {
				wg.Go(func() {
					switch a := send(); {
					case a.StatusCode == http.StatusGone:
						expired.Add(1)
					case a.granted():
						granted.Add(1)
					}
				})
			}
			wg.Wait()
			if granted.Load() != 1 || expired.Load() != 7 {
				t.Errorf("%s: of 8 at once %d granted and %d expired, want 1 and 7", name, granted.Load(), expired.Load())
			}
			h.Clock.Advance(maxAge)
			h.Do(t, func(tx *store.Tx) error { // what is no longer needed is swept away
				_, err := tx.Sweep(t.Context())
				return err
			})
			if a := send(); a.StatusCode != http.StatusGone {
				t.Errorf("%s: %d after 5 minutes, want 410", name, a.StatusCode)
			}
			h.Clock.Advance(-maxAge)
		}
		// Names are an application's own: two may choose the same.
		if !h.post(p.requestAs("_same", "", ""), "").granted() || !h.redirect(signs.query(signs.requestAs("_same", "", ""), "", rsaSHA256)).granted() {
			t.Error("two applications cannot use one ID")
		}
	})
}

// Whoever only looks, as some programs do at links, does not use up a request.
func TestSAML6_HeadChangesNothing(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	query := p.query(p.request("", ""), "", "")
	if a := h.read(http.Head(h.base + "/saml/sso?" + query)); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d, want 405", a.StatusCode)
	}
	if !h.redirect(query).granted() {
		t.Error("used up by HEAD")
	}
}

// A small message that inflates to a large one is not unpacked, and a large
// one is not read.
func TestSAML6_Bombs(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	bomb := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflate(t, make([]byte, 8<<20))))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := h.redirect(bomb)
	runtime.ReadMemStats(&after)
	if a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("bomb: %d, want 413", a.StatusCode)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("bomb: %d bytes were allocated", used)
	}
	if a := h.post(p.request("", "<!-- "+strings.Repeat("x", maxMessage)+" -->"), ""); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("large post: %d, want 413", a.StatusCode)
	}
	for name, doc := range map[string]string{
		"deep":       strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000),
		"wide":       "<a>" + strings.Repeat("<b/>", strictxml.MaxElements) + "</a>",
		"attributes": "<a " + attributes(20_000) + "/>",
	} {
		begun := time.Now()
		a := h.redirect("SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflate(t, []byte(doc)))))
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(h.log.tear(), "too deep or too large") {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		if took := time.Since(begun); took > 5*time.Second { // milliseconds on a machine that does nothing else
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// Which of a request and a response another reader would take is not known, and a
// request by the Redirect binding is signed in its query or not at all (SAML bindings,
// section 3.4.4.1). Left out: each check.
func TestSAML6_OneMessageAndOneSignature(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{EntityID: "https://sp.example/saml", Signs: true})
	plain := h.add(samlsptest.Shape{EntityID: "https://plain.example/saml"})
	signed := p.sign(p.request("", ""))
	if a := h.post(signed, ""); !a.granted() {
		t.Fatalf("a signed request by POST: %d %s", a.StatusCode, h.log.tear())
	}
	for name, send := range map[string]func() answer{
		"a signature inside":                 func() answer { return h.redirect(p.query(p.sign(p.request("", "")), "", "")) },
		"a signature inside, and a good one": func() answer { return h.redirect(p.query(p.sign(p.request("", "")), "", rsaSHA256)) },
		"a response after it":                func() answer { return h.redirect(plain.query(plain.request("", ""), "", "") + "&SAMLResponse=PGE%2B") },
		"a response posted with it": func() answer {
			return h.postForm(url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(plain.request("", "")))}, "SAMLResponse": {"PGE+"}}, "")
		},
		"a response in the address it is posted to": func() answer {
			return h.postForm(url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(plain.request("", "")))}}, "?SAMLResponse=PGE%2B")
		},
		"a response before it": func() answer { return h.redirect("SAMLResponse=PGE%2B&" + plain.query(plain.request("", ""), "", "")) },
	} {
		if a := send(); a.granted() || a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", name, a.StatusCode, h.log.tear())
		}
	}
}

// Whatever 180 kB anybody sends cost little. The bounds are looked at in one pass that
// stops at the first one too many; without them the first two cost a hundred times what
// they do. The time is compared with that of one signature, which every answer costs.
func TestTSAML06_WhatALargeMessageCosts(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	least := func(f func()) time.Duration { // of five, so that what else the machine does counts little
		best := time.Hour
		for range 5 {
			begun := time.Now()
			f()
			best = min(best, time.Since(begun))
		}
		return best
	}
	digest := sha256.Sum256(nil)
	signature := least(func() {
		for range 10 {
			if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
				t.Error(err)
			}
		}
	})
	const size = 180 << 10
	open := `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a"><samlp:Extensions xmlns:a="u:a">`
	for name, part := range map[string]string{
		"elements":   `<a:b>x</a:b>`,
		"namespaces": `<c:b xmlns:c="u:c"/>`,
		"attributes": `<a:b ` + attributes(60) + `/>`,
	} {
		doc := []byte(open + strings.Repeat(part, size/len(part)) + `</samlp:Extensions></samlp:AuthnRequest>`)
		if _, _, err := parse(doc); err == nil {
			t.Errorf("%s: taken", name)
		}
		if took := least(func() { _, _, _ = parse(doc) }); took > signature {
			t.Errorf("%s: %v, want at most the %v of ten signatures", name, took, signature)
		}
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

// RelayState is the application's: it comes back as it was, to the
// application alone, and leads nowhere.
func TestSAML6_RelayState(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	for _, state := range []string{`"><script>alert(1)</script>`, "javascript:alert(1)", "https://evil.example/", "ü %2B + & ;", strings.Repeat("x", 4096), strings.Repeat("ü+", 1024)} {
		for binding, a := range map[string]answer{
			"POST":     h.post(p.request("", ""), state),
			"Redirect": h.redirect(p.query(p.request("", ""), state, "")),
		} {
			to, fields := a.form()
			if to != samlsptest.ACS || fields.Get("RelayState") != state {
				t.Errorf("%s: %q came back as %q, to %s", binding, state, fields.Get("RelayState"), to)
			}
			if strings.Contains(a.body, "<script>") {
				t.Errorf("%s: %q became part of the page", binding, state)
			}
		}
	}
	for _, state := range []string{strings.Repeat("x", 4097), "\xff", "a\x00b"} {
		if a := h.post(p.request("", ""), state); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d, want 400", state, a.StatusCode)
		}
	}
}

// What a form has twice could be read in two ways; what it has in the address
// is of no binding.
func TestSAML6_RepeatedFields(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	field := func(name string) string {
		return name + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(p.request("", ""))))
	}
	for _, tt := range []struct {
		query, body string
		want        int
	}{
		{"", field("SAMLRequest"), http.StatusOK},
		{"", field("SAMLRequest") + "&" + field("SAMLRequest"), http.StatusBadRequest},
		{"", field("SAMLRequest") + "&RelayState=1&RelayState=2", http.StatusBadRequest},
		{"?" + field("SAMLRequest"), "", http.StatusBadRequest},
		{"?RelayState=2", field("SAMLRequest") + "&RelayState=1", http.StatusOK},
		{"?RelayState=2", field("SAMLRequest"), http.StatusOK},
		{"", "", http.StatusBadRequest},
		{"", "SAMLRequest=%%%", http.StatusBadRequest},
	} {
		a := h.read(h.client().Post(h.base+"/saml/sso"+tt.query, "application/x-www-form-urlencoded", strings.NewReader(tt.body)))
		if a.StatusCode != tt.want {
			t.Errorf("%.40q %.60q: %d, want %d", tt.query, tt.body, a.StatusCode, tt.want)
		}
		if _, fields := a.form(); tt.want == http.StatusOK && fields.Get("RelayState") == "2" {
			t.Error("RelayState of the address was taken")
		}
	}
	for _, more := range []string{"&RelayState=1&RelayState=1", "&Relay%53tate=1", "&" + field("SAMLRequest"), "&SAML%52equest=x", "&%=x", "&RelayState=%", "&SigAlg=x"} {
		if a := h.redirect(p.query(p.request("", ""), "", "") + more); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30s: %d, want 400", more, a.StatusCode)
		}
	}
}

func TestSAML2_AnswersGoToRegisteredAddresses(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	for attributes, want := range map[string]string{
		"":                                  samlsptest.ACS, // isDefault
		`AssertionConsumerServiceIndex="1"`: samlsptest.OtherACS,
		`AssertionConsumerServiceIndex="2"`: samlsptest.ACS,
		`AssertionConsumerServiceURL="` + samlsptest.OtherACS + `"`: samlsptest.OtherACS,
		`ProtocolBinding="` + saml.HTTPPostBinding + `"`:            samlsptest.ACS,
		`AssertionConsumerServiceURL="https://sp.example/other"`:    "",
	} {
		a := h.post(p.request(attributes, ""), "")
		if to, _ := a.form(); to != want {
			t.Errorf("%s: to %q, want %q", attributes, to, want)
		}
		if want == "" {
			continue
		}
		_, r := a.response()
		if c := r.Assertion.Subject.SubjectConfirmations[0].SubjectConfirmationData; r.Destination != want || c.Recipient != want {
			t.Errorf("%s: destination %q, recipient %q, want %q", attributes, r.Destination, c.Recipient, want)
		}
	}
}

// ForceAuthn, IsPassive and contexts are told to the journey, never dropped.
func TestJRN8_WhatARequestAsks(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{})
	context := func(comparison string, classes ...string) string {
		s := `<samlp:RequestedAuthnContext Comparison="` + comparison + `">`
		for _, c := range classes {
			s += "<saml:AuthnContextClassRef> " + c + " </saml:AuthnContextClassRef>"
		}
		return s + `</samlp:RequestedAuthnContext>`
	}
	password, mfa := journey.PasswordContext, journey.MFAContext
	for _, tt := range []struct {
		attributes, children string
		want                 journey.Request
	}{
		{"", "", journey.Request{}},
		{`ForceAuthn="true" IsPassive="false"`, "", journey.Request{ForceLogin: true}},
		{`ForceAuthn="1" IsPassive="1"`, "", journey.Request{ForceLogin: true, Passive: true}},
		{"", context("exact", password, "urn:x", mfa), journey.Request{ACR: []string{password, "urn:x", mfa}, Comparison: journey.Exact}},
		{"", context("", mfa), journey.Request{ACR: []string{mfa}}},
		{"", context("minimum", password), journey.Request{ACR: []string{password}, Comparison: journey.Minimum}},
		{"", context("maximum", password), journey.Request{ACR: []string{password}, Comparison: journey.Maximum}},
		{"", context("better", password), journey.Request{ACR: []string{password}, Comparison: journey.Better}},
		{"", `<saml:Subject><saml:NameID>anna.berg</saml:NameID></saml:Subject>`, journey.Request{LoginHint: "anna.berg"}},
	} {
		h.want = journey.Request{}
		a := h.post(p.request(tt.attributes, strings.ReplaceAll(tt.children, ` Comparison=""`, "")), "")
		if !a.granted() {
			t.Errorf("%s %s: refused, %d", tt.attributes, tt.children, a.StatusCode)
		}
		got := h.want
		got.Payload = nil
		if gotJSON, wantJSON := asJSON(t, got), asJSON(t, tt.want); gotJSON != wantJSON {
			t.Errorf("%s %s:\n got %s\nwant %s", tt.attributes, tt.children, gotJSON, wantJSON)
		}
	}
	if a := h.post(p.request("", context("nonsense", mfa)), ""); a.status() != "Responder/NoAuthnContext" {
		t.Error("a comparison nobody knows was met")
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Whatever is sent us, we say no without falling over, and parsers that come
// one after the other read the same.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0"><saml:Issuer>https://sp.example</saml:Issuer></samlp:AuthnRequest>`))
	f.Add([]byte(`<AuthnRequest xmlns="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:d="http://www.w3.org/2000/09/xmldsig#" ID="_1"><d:Signature><d:SignedInfo><d:CanonicalizationMethod/></d:SignedInfo><d:SignatureValue/></d:Signature></AuthnRequest>`))
	f.Add([]byte(`<AuthnRequest xmlns="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:d="http://www.w3.org/2000/09/xmldsig#" ID="_1"><d:Signature><d:SignedInfo>` +
		`<d:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"/></d:SignedInfo><d:SignatureValue>YQ==</d:SignatureValue></d:Signature></AuthnRequest>`))
	f.Add([]byte(`<a:b xmlns:a="urn:x" a:ID="1" xml:lang="en">]]&gt;&#13;</a:b>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		req, root, err := parse(strictxml.TrimBOM(doc))
		if err != nil {
			return
		}
		if root.NamespaceURI() != protocolNS || root.Tag != "AuthnRequest" {
			t.Errorf("a request that is %q of %q", root.Tag, root.NamespaceURI())
		}
		if id := root.SelectAttrValue("ID", ""); id != req.ID {
			t.Errorf("ID %q by one parser, %q by the other", id, req.ID)
		}
		for _, child := range root.ChildElements() {
			if child.Tag == "Issuer" && len(child.ChildElements()) == 0 && strings.TrimSpace(child.Text()) != req.Issuer.Value {
				t.Errorf("issuer %q by one parser, %q by the other", child.Text(), req.Issuer.Value)
			}
		}
		if signed(root) {
			if _, err := verifyEnveloped(root, nil); err == nil {
				t.Error("a signature of nobody was accepted")
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("SAMLRequest=fZA7&RelayState=a&SigAlg=b&Signature=YQ==")
	f.Add("SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflate(f, bytes.Repeat([]byte("<a>"), 100)))))
	f.Fuzz(func(t *testing.T, query string) {
		m, err := receiveRedirect(query)
		if err != nil {
			return
		}
		if len(m.xml) > maxMessage || len(m.relayState) > maxRelayState {
			t.Errorf("%d bytes, RelayState of %d", len(m.xml), len(m.relayState))
		}
		if m.query != nil && !strings.Contains(query, "SigAlg=") {
			t.Error("a signature nobody made")
		}
	})
}

package saml

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"html"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
	"github.com/latchkey-id/latchkey/internal/signingkey"
)

// An independent service provider completes logins by both bindings, with what
// it makes of our metadata and we of its.
func TestSAML1_AnIndependentServiceProvider(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.User.DisplayName, h.groups = "Anna Berg", []identity.Group{{Name: "Nurses"}, {Name: "Ward 7"}}
		key := samlsptest.SharedKey().(*rsa.PrivateKey)
		cert, err := x509.ParseCertificate(samlsptest.Certify(t, key))
		if err != nil {
			t.Fatal(err)
		}
		res := h.read(http.Get(h.base + "/saml/metadata"))
		if got := res.Header.Get("Content-Type"); got != "application/samlmetadata+xml" {
			t.Errorf("metadata is %q", got)
		}
		var entity saml.EntityDescriptor
		if err := xml.Unmarshal([]byte(res.body), &entity); err != nil {
			t.Fatal(err)
		}
		sp := &saml.ServiceProvider{EntityID: "https://independent.example/saml/metadata", Key: key, Certificate: cert, IDPMetadata: &entity,
			MetadataURL: *parsed(t, "https://independent.example/saml/metadata"), AcsURL: *parsed(t, "https://independent.example/saml/acs"),
			SignatureMethod: rsaSHA256, AuthnNameIDFormat: saml.PersistentNameIDFormat}
		metadata, err := xml.Marshal(sp.Metadata())
		if err != nil {
			t.Fatal(err)
		}
		app, err := samlsp.ApplicationFromMetadata(metadata, "Independent")
		if err != nil {
			t.Fatal(err)
		}
		h.join(app, nil, nil)
		var names []string
		for _, binding := range []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding} {
			req, err := sp.MakeAuthenticationRequest(sp.GetSSOBindingLocation(binding), binding, saml.HTTPPostBinding)
			if err != nil {
				t.Fatal(err)
			}
			var a answer
			if binding == saml.HTTPRedirectBinding {
				to, err := req.Redirect(url.QueryEscape("a&b"), sp) // the library does not escape it
				if err != nil {
					t.Fatal(err)
				}
				a = h.redirect(to.RawQuery)
			} else {
				form := url.Values{"SAMLRequest": {between(t, string(req.Post("")), `name="SAMLRequest" value="`)}, "RelayState": {"a&b"}}
				a = h.read(h.client().PostForm(h.base+"/saml/sso", form))
			}
			to, fields := a.form()
			if to != "https://independent.example/saml/acs" || fields.Get("RelayState") != "a&b" {
				t.Fatalf("%s: posts RelayState %q to %q:\n%s", binding, fields.Get("RelayState"), to, a.body)
			}
			if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://independent.example;") && !strings.HasSuffix(policy, "form-action 'self' https://independent.example") {
				t.Errorf("policy %q", policy)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(fields.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if err := r.ParseForm(); err != nil {
				t.Fatal(err)
			}
			got, err := sp.ParseResponse(r, []string{req.ID})
			if err != nil {
				invalid, _ := errors.AsType[*saml.InvalidResponseError](err)
				t.Fatalf("%s: %v, %+v", binding, err, invalid)
			}
			names = append(names, got.Subject.NameID.Value)
			checkAssertion(t, h, got)
		}
		if names[0] != names[1] || len(names[0]) < 32 {
			t.Errorf("persistent names %q, want one and the same", names)
		}
	})
}

func checkAssertion(t *testing.T, h *fixture, got *saml.Assertion) {
	t.Helper()
	told := make(map[string][]string)
	for _, a := range got.AttributeStatements[0].Attributes {
		for _, v := range a.Values {
			told[a.FriendlyName] = append(told[a.FriendlyName], v.Value)
		}
	}
	for name, want := range map[string][]string{"uid": {"anna.berg"}, "displayName": {"Anna Berg"}, "mail": {"anna@example.org"}, "isMemberOf": {"Nurses", "Ward 7"}} {
		if !slices.Equal(told[name], want) {
			t.Errorf("%s is %q, want %q", name, told[name], want)
		}
	}
	authn := got.AuthnStatements[0]
	if now := h.Clock.Now(); !authn.AuthnInstant.Equal(now.Add(-time.Minute).Truncate(time.Second)) || authn.SessionIndex == "" ||
		!authn.SessionNotOnOrAfter.Equal(now.Add(12*time.Hour).Truncate(time.Second)) {
		t.Errorf("authentication statement %+v", authn)
	}
	if class := authn.AuthnContext.AuthnContextClassRef.Value; class != "https://refeds.org/profile/mfa" {
		t.Errorf("context %q", class)
	}
	if life := got.Conditions.NotOnOrAfter.Sub(got.IssueInstant); life != assertionLifetime {
		t.Errorf("lives %v", life)
	}
}

func parsed(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func between(t *testing.T, s, begin string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, begin)
	value, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatalf("no %s in %s", begin, s)
	}
	return html.UnescapeString(value)
}

// xmlsec1 shares no code with us. It must accept the response, the assertion
// taken out of it, and the metadata.
func TestSAML1_XmlsecAcceptsOurSignatures(t *testing.T) {
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	h := one(t)
	h.User.Name, h.User.DisplayName = "a<b>&\"c'", "\u202eé \r\n\t\u0001]]>\ufffe𝄞"
	p := h.add(samlsptest.Shape{})
	raw, response := h.post(p.request("", ""), "").response()
	if response.Assertion == nil {
		t.Fatal("no assertion")
	}
	key, err := h.idp.Keys.Newest(t.Context(), h.Tenant.ID, identity.SAML, signingkey.RS256)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert := filepath.Join(dir, "idp.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	begin, end := bytes.Index(raw, []byte("<saml:Assertion")), bytes.Index(raw, []byte("</saml:Assertion>"))
	metadata := []byte(h.read(http.Get(h.base + "/saml/metadata")).body)
	for name, doc := range map[string][]byte{
		"protocol:Response":         raw,
		"assertion:Assertion":       raw[begin : end+len("</saml:Assertion>")],
		"metadata:EntityDescriptor": metadata,
	} {
		file := filepath.Join(dir, "doc.xml")
		verify := func(doc []byte) ([]byte, error) {
			if err := os.WriteFile(file, doc, 0o600); err != nil {
				t.Fatal(err)
			}
			return exec.CommandContext(t.Context(), "xmlsec1", "--verify", "--pubkey-cert-pem", cert,
				"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:"+name, file).CombinedOutput()
		}
		if out, err := verify(doc); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, doc)
		}
		if _, err := verify(bytes.Replace(doc, []byte("/saml/metadata"), []byte("/saml/metadatb"), 1)); err == nil {
			t.Errorf("%s: accepted although changed", name)
		}
	}
	told := response.Assertion.AttributeStatements[0].Attributes
	if got, want := told[1].Values[0].Value, "\u202eé \r\n\t]]>𝄞"; got != want {
		t.Errorf("displayName %q, want %q", got, want)
	}
	if got := response.Assertion.Subject.NameID.Value; got != h.User.Name {
		t.Errorf("NameID %q, want %q", got, h.User.Name)
	}
}

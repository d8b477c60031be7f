package samlsp

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
)

// reshaped writes metadata with one thing changed.
func reshaped(t *testing.T, old, new string) string {
	t.Helper()
	metadata, _ := samlsptest.Describe(t, samlsptest.Shape{EntityID: "https://sp.example/saml", Key: samlsptest.SharedKey(), Signs: true})
	if !strings.Contains(metadata, old) {
		t.Fatalf("no %q in %s", old, metadata)
	}
	return strings.Replace(metadata, old, new, 1)
}

func TestSAML2_Metadata(t *testing.T) {
	metadata := reshaped(t, `</KeyDescriptor>`, `</KeyDescriptor><KeyDescriptor use="encryption"/><NameIDFormat>urn:x</NameIDFormat><NameIDFormat> `+
		EmailAddress+` </NameIDFormat><NameIDFormat>`+Persistent+`</NameIDFormat>`)
	for name, doc := range map[string]string{
		"alone":                  metadata,
		"with a byte order mark": "\ufeff" + metadata,
		"among others": `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><EntityDescriptor entityID="https://idp.example">` +
			`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"/></EntityDescriptor>` + metadata + `</EntitiesDescriptor>`,
	} {
		app, err := ApplicationFromMetadata([]byte(doc), "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if app.Identifier != "https://sp.example/saml" || app.Protocol != identity.SAML || !identity.IsID(identity.ApplicationID, app.ID) || app.Name != app.Identifier {
			t.Errorf("%s: %+v", name, app)
		}
		sp, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		if want := []Endpoint{{samlsptest.ACS, 2}, {samlsptest.OtherACS, 1}}; !slices.Equal(sp.Endpoints, want) {
			t.Errorf("%s: endpoints %v, want %v", name, sp.Endpoints, want)
		}
		if sp.NameID != EmailAddress || !sp.SignedRequests || len(sp.Keys) != 1 {
			t.Errorf("%s: NameID %q, signed %v, %d keys", name, sp.NameID, sp.SignedRequests, len(sp.Keys))
		}
	}
}

func TestSAML2_Names(t *testing.T) {
	for want, changed := range map[string]string{
		"Given":                   reshaped(t, "<!--", "<!--"),
		"https://sp.example/saml": reshaped(t, "<!--", "<!--"),
		"Payroll":                 reshaped(t, "</EntityDescriptor>", `<Organization><OrganizationDisplayName xml:lang="en"> Payroll&#x202e; </OrganizationDisplayName></Organization></EntityDescriptor>`),
		"Rota":                    reshaped(t, "</SPSSODescriptor>", `<AttributeConsumingService index="0"><ServiceName xml:lang="en">Rota</ServiceName></AttributeConsumingService></SPSSODescriptor>`),
	} {
		given := ""
		if want == "Given" {
			given = want
		}
		app, err := ApplicationFromMetadata([]byte(changed), given)
		if err != nil {
			t.Fatal(err)
		}
		if app.Name != want {
			t.Errorf("called %q, want %q", app.Name, want)
		}
	}
}

// What is wrong in metadata is found when an operator adds it, not when
// somebody logs in.
func TestSAML2_BadMetadata(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	location := func(address string) string {
		return reshaped(t, `Location="`+samlsptest.ACS+`"`, `Location="`+address+`"`)
	}
	for _, tt := range []struct{ name, metadata, cause string }{
		{"empty", "", "0 documents"},
		{"garbage", "<<<", ""},
		{"HTML", "<html><body/></html>", "not SAML metadata"},
		{"too long", "<!--" + strings.Repeat("x", MaxMetadata) + "-->", "longer than"},
		{"a DTD", "<!DOCTYPE x>" + reshaped(t, "", ""), "a DTD"},
		{"expired", reshaped(t, "entityID=", `validUntil="2020-01-01T00:00:00Z" entityID=`), "valid until 2020-01-01"},
		{"expired role", reshaped(t, "<SPSSODescriptor", `<SPSSODescriptor validUntil="2020-01-01T00:00:00Z"`), "valid until 2020-01-01"},
		{"no entityID", reshaped(t, "https://sp.example/saml", ""), "entityID"},
		{"a long entityID", reshaped(t, "https://sp.example/saml", strings.Repeat("x", 1025)), "entityID"},
		{"an entityID with a line break", reshaped(t, "https://sp.example/saml", "https://sp.example/&#10;saml"), "entityID"},
		{"no service provider", reshaped(t, "SAML:2.0:protocol", "SAML:1.1:protocol"), "0 SAML 2.0 service providers"},
		{"two service providers", `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` + reshaped(t, "", "") + reshaped(t, "", "") + `</EntitiesDescriptor>`, "2 SAML 2.0 service providers"},
		{"signs without a key", reshaped(t, `use="signing"`, `use="encryption"`), "no key to check them by"},
		{"a key without a certificate", reshaped(t, "ds:X509Certificate>", "ds:X509SKI>"), ""},
		{"a key of no use and no certificate", reshaped(t, "</KeyDescriptor>", `</KeyDescriptor><KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></KeyDescriptor>`), "without a certificate"},
		{"a certificate that is none", reshaped(t, "</ds:X509Certificate>", "AAAA</ds:X509Certificate>"), "certificate"},
		{"a short key", strings.Replace(reshaped(t, "", ""), base64.StdEncoding.EncodeToString(samlsptest.Certify(t, samlsptest.SharedKey())), base64.StdEncoding.EncodeToString(samlsptest.Certify(t, small)), 1), "1024 bits"},
		{"http", location("http://sp.example/acs"), "https://"},
		{"script", location("javascript:alert(1)"), ""},
		{"data", location("data:text/html,x"), ""},
		{"a user name", location("https://sp.example@evil.example/acs"), "user name"},
		{"a fragment", location("https://sp.example/acs#x"), "fragment"},
		{"a wildcard", location("https://*.example/acs"), "must not contain"},
		{"a backslash", location(`https://sp.example\@evil.example/acs`), ""},
		{"a semicolon for the policy", location("https://sp.example;script-src/acs"), "absolute"},
		{"a dot at the end", location("https://sp.example./acs"), "absolute"},
		{"no host", location("https:///acs"), "absolute"},
		{"a host like loopback", location("http://localhost.evil.example/acs"), "https://"},
		{"an answer in it", location("https://sp.example/acs?SAMLResponse=x"), "must not have the parameter"},
		{"an index out of range", reshaped(t, `index="2"`, `index="70000"`), "index"},
		{"an index that is none", reshaped(t, `index="2"`, `index="two"`), ""},
		{"no address for POST", strings.ReplaceAll(reshaped(t, "", ""), "HTTP-POST", "PAOS"), "takes POST"},
	} {
		app, err := ApplicationFromMetadata([]byte(tt.metadata), "x")
		if !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), tt.cause) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.cause)
		}
		if app.ID != "" {
			t.Errorf("%s: an application in spite of it", tt.name)
		}
	}
	for _, address := range []string{"http://localhost:8080/saml/acs", "http://127.0.0.1/acs", "http://[::1]:99/acs?tenant=1"} {
		if _, err := ApplicationFromMetadata([]byte(location(address)), "x"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A key that does not say what it is for is one to check requests by. To take
// it for none would let unsigned requests in (CVE-2026-16443).
func TestSAML2_KeyWithoutUse(t *testing.T) {
	app, err := ApplicationFromMetadata([]byte(reshaped(t, ` use="signing"`, "")), "x")
	if err != nil {
		t.Fatal(err)
	}
	if sp, err := Read(app); err != nil || len(sp.Keys) != 1 {
		t.Errorf("%v, %v", sp, err)
	}
}

// Metadata ends at a moment, not a day later.
func TestSAML2_ValidUntil(t *testing.T) {
	metadata := []byte(reshaped(t, "entityID=", `validUntil="2026-01-01T12:00:00Z" entityID=`))
	until := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	if _, err := parseMetadata(metadata, "x", until); err != nil {
		t.Error(err)
	}
	if _, err := parseMetadata(metadata, "x", until.Add(time.Second)); err == nil {
		t.Error("taken a second too late")
	}
}

// A configuration we do not understand whole is one we do not act on.
func TestSAML2_StrictConfiguration(t *testing.T) {
	for _, c := range []string{`{`, `{"signed_requets": true}`, `{"certificates": ["AAAA"]}`} {
		if _, err := Read(identity.Application{Config: []byte(c)}); err == nil {
			t.Errorf("%s was accepted", c)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	metadata, _ := samlsptest.Describe(f, samlsptest.Shape{EntityID: "https://sp.example/saml", Key: samlsptest.SharedKey(), Signs: true})
	f.Add([]byte(metadata))
	f.Add([]byte(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><EntityDescriptor/></EntitiesDescriptor>`))
	f.Fuzz(func(t *testing.T, metadata []byte) {
		app, err := ApplicationFromMetadata(metadata, "")
		if err != nil {
			return
		}
		sp, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		if sp.SignedRequests && len(sp.Keys) == 0 {
			t.Error("must sign, but has no key")
		}
		for _, e := range sp.Endpoints {
			u, parsing := url.Parse(e.URL)
			if err := errors.Join(consumer(e.URL), parsing); err != nil || u.Host == "" {
				t.Errorf("%q: %v", e.URL, err)
			}
		}
		if !json.Valid(app.Config) || app.Name == "" && identity.CleanTyped(app.Identifier) != "" {
			t.Errorf("%+v", app)
		}
	})
}

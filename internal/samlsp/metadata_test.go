package samlsp

import (
	"crypto/ed25519"
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
	"unicode/utf16"

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
	shown := func(names string) string {
		return strings.Replace(reshaped(t, "<KeyDescriptor", `<Extensions><mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui">`+names+`</mdui:UIInfo></Extensions><KeyDescriptor`),
			"</SPSSODescriptor>", `<AttributeConsumingService index="0"><ServiceName xml:lang="en">Rota</ServiceName></AttributeConsumingService></SPSSODescriptor>`, 1)
	}
	for want, changed := range map[string]string{
		"Given":                   reshaped(t, "<!--", "<!--"),
		"https://sp.example/saml": reshaped(t, "<!--", "<!--"),
		"Payroll":                 reshaped(t, "</EntityDescriptor>", `<Organization><OrganizationDisplayName xml:lang="en"> Payroll&#x202e; </OrganizationDisplayName></Organization></EntityDescriptor>`),
		"Shifts":                  shown(`<mdui:DisplayName xml:lang="de">Dienste</mdui:DisplayName><mdui:DisplayName xml:lang="en-GB">Shifts</mdui:DisplayName>`),
		"Dienste":                 shown(`<mdui:DisplayName xml:lang="fr"> </mdui:DisplayName><mdui:DisplayName xml:lang="de">Dienste</mdui:DisplayName>`),
		"Rota/ another namespace": shown(`<DisplayName xml:lang="en">Shifts</DisplayName>`),
		"Rota":                    reshaped(t, "</SPSSODescriptor>", `<AttributeConsumingService index="0"><ServiceName xml:lang="en">Rota</ServiceName></AttributeConsumingService></SPSSODescriptor>`),
	} {
		given := ""
		if want, _, _ = strings.Cut(want, "/ "); want == "Given" {
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
		{"a certificate that is none", reshaped(t, "</ds:X509Certificate>", "AAAA</ds:X509Certificate>"), "certificate"},
		{"a short key", strings.Replace(reshaped(t, "", ""), base64.StdEncoding.EncodeToString(samlsptest.Certify(t, samlsptest.SharedKey())), base64.StdEncoding.EncodeToString(samlsptest.Certify(t, small)), 1), "1024 bits"},
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
}

// withAddress writes metadata whose default address for answers is another. With alone, it
// is the only one.
func withAddress(t *testing.T, address string, alone bool) string {
	t.Helper()
	metadata := reshaped(t, `Location="`+samlsptest.ACS+`"`, `Location="`+address+`"`)
	if alone {
		metadata = strings.Replace(metadata, "HTTP-POST", "PAOS", 1) // the other one
	}
	return metadata
}

// One address that answers cannot go to is left out and named, and the others are taken.
// Metadata that has no other is refused for it. Fails with the check of readable taken
// out: assertions would be posted there.
func TestSAML2_TSAML08_BadAddresses(t *testing.T) {
	for _, tt := range []struct{ name, address, cause string }{
		{"http", "http://sp.example/acs", "https://"},
		{"script", "javascript:alert(1)", "absolute"},
		{"data", "data:text/html,x", "absolute"},
		{"a user name", "https://sp.example@evil.example/acs", "user name"},
		{"a fragment", "https://sp.example/acs#x", "fragment"},
		{"a wildcard", "https://*.example/acs", "must not contain"},
		{"a backslash", `https://sp.example\@evil.example/acs`, "must not contain"},
		{"a semicolon for the policy", "https://sp.example;script-src/acs", "absolute"},
		{"a dot at the end", "https://sp.example./acs", "absolute"},
		{"no host", "https:///acs", "absolute"},
		{"a host like loopback", "http://localhost.evil.example/acs", "https://"},
		{"an answer in it", "https://sp.example/acs?SAMLResponse=x", "must not have the parameter"},
		{"an index out of range", samlsptest.ACS + `" index="70000`, "index"},
		{"an index that is none", samlsptest.ACS + `" index="two`, "index"},
		{"a default that is none", samlsptest.ACS + `" isDefault="yes`, "isDefault"},
	} {
		alone, others := withAddress(t, tt.address, true), withAddress(t, tt.address, false)
		for _, attribute := range []string{` index="2"`, ` isDefault="true"`} { // each once
			if name, _, _ := strings.Cut(attribute, "="); strings.Contains(tt.address, name) {
				alone, others = strings.Replace(alone, attribute, "", 1), strings.Replace(others, attribute, "", 1)
			}
		}
		app, err := ApplicationFromMetadata([]byte(alone), "x")
		if !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), "takes POST") || !strings.Contains(err.Error(), tt.cause) || app.ID != "" {
			t.Errorf("%s alone: %v, want it refused for %q", tt.name, err, tt.cause)
		}
		app, err = ApplicationFromMetadata([]byte(others), "x")
		if err != nil {
			t.Errorf("%s among others: %v", tt.name, err)
			continue
		}
		sp, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		if len(sp.Endpoints) != 1 || sp.Endpoints[0].URL != samlsptest.OtherACS || len(sp.Keys) != 1 {
			t.Errorf("%s among others: endpoints %v, want the other", tt.name, sp.Endpoints)
		}
		if len(sp.LeftOut) != 1 || !strings.Contains(sp.LeftOut[0], tt.cause) || !strings.Contains(sp.LeftOut[0], "assertion consumer service") {
			t.Errorf("%s among others: left out %q, want it named for %q", tt.name, sp.LeftOut, tt.cause)
		}
	}
	for _, address := range []string{"http://localhost:8080/saml/acs", "http://127.0.0.1/acs", "http://[::1]:99/acs?tenant=1"} {
		app, err := ApplicationFromMetadata([]byte(withAddress(t, address, false)), "x")
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		if sp, err := Read(app); err != nil || sp.Endpoints[0].URL != address || len(sp.LeftOut) != 0 {
			t.Errorf("%s: %+v, %v", address, sp, err)
		}
	}
	// What is not used is not looked at.
	logout := reshaped(t, "<AssertionConsumerService", `<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="javascript:alert(1)"/><AssertionConsumerService`)
	logout = strings.Replace(logout, `Location="`+samlsptest.ACS+`"`, `ResponseLocation="javascript:alert(1)" Location="`+samlsptest.ACS+`"`, 1)
	if _, err := ApplicationFromMetadata([]byte(logout), "x"); err != nil {
		t.Errorf("a bad address for logging out: %v", err)
	}
}

// One key that cannot be used is left out and named; with no other, the metadata is
// refused, signatures wanted or not. Fails with the refusal taken out: an application
// whose keys are all bad would go on without any.
func TestSAML2_BadKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	descriptor := func(use, certificate string) string {
		return `<KeyDescriptor` + use + `><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>` + certificate + `</ds:X509Data></ds:KeyInfo></KeyDescriptor>`
	}
	certificate := func(data string) string { return "<ds:X509Certificate>" + data + "</ds:X509Certificate>" }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	for _, tt := range []struct{ name, descriptor, cause string }{
		{"no certificate", descriptor("", ""), "without a certificate"},
		{"a key identifier alone", descriptor(` use="signing"`, "<ds:X509SKI>AAAA</ds:X509SKI>"), "without a certificate"},
		{"an empty certificate", descriptor("", certificate(" ")), "certificate"},
		{"no base64", descriptor("", certificate("!!!!")), "illegal base64"},
		{"no certificate, but base64", descriptor("", certificate("AAAA")), "certificate"},
		{"a short key", descriptor("", certificate(encode(samlsptest.Certify(t, small)))), "1024 bits"},
		{"a key of another kind", descriptor("", certificate(encode(samlsptest.Certify(t, ed)))), "cannot check"},
		{"a private key in PEM", descriptor("", certificate("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")), "certificate"},
	} {
		app, err := ApplicationFromMetadata([]byte(reshaped(t, "<KeyDescriptor", tt.descriptor+"<KeyDescriptor")), "x")
		if err != nil {
			t.Errorf("%s beside a good one: %v", tt.name, err)
			continue
		}
		sp, err := Read(app)
		if err != nil {
			t.Fatal(err)
		}
		if len(sp.Keys) != 1 || !sp.SignedRequests || len(sp.LeftOut) != 1 || !strings.Contains(sp.LeftOut[0], tt.cause) || !strings.Contains(sp.LeftOut[0], "key 1") {
			t.Errorf("%s beside a good one: %d keys, left out %q; want one, and %q", tt.name, len(sp.Keys), sp.LeftOut, tt.cause)
		}
		for _, signs := range []string{"true", "false"} {
			alone := strings.Replace(reshaped(t, "<KeyDescriptor", tt.descriptor+"<KeyDescriptor"), `<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>MII`,
				`<KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>MII`, 1)
			alone = strings.Replace(alone, `AuthnRequestsSigned="true"`, `AuthnRequestsSigned="`+signs+`"`, 1)
			if _, err := ApplicationFromMetadata([]byte(alone), "x"); !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), tt.cause) {
				t.Errorf("%s alone, requests signed %s: %v, want it refused for %q", tt.name, signs, err, tt.cause)
			}
		}
	}
}

// A PEM file pasted into metadata is what it is for, whole, in one line, or with the chain
// behind it.
func TestSAML2_PEMInMetadata(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString(samlsptest.Certify(t, samlsptest.SharedKey()))
	pem := func(data string) string {
		return "\n-----BEGIN CERTIFICATE-----\n" + data + "\n-----END CERTIFICATE-----\n"
	}
	for name, tt := range map[string]struct {
		data string
		keys int
	}{
		"a file":             {pem(encoded), 1},
		"in lines of 64":     {pem(encoded[:64] + "\r\n" + encoded[64:128] + "\r\n" + encoded[128:]), 1},
		"in one line":        {strings.ReplaceAll(pem(encoded), "\n", ""), 1},
		"with spaces":        {strings.ReplaceAll(pem(encoded), "\n", " "), 1},
		"called trusted":     {strings.ReplaceAll(pem(encoded), "CERTIFICATE", "TRUSTED CERTIFICATE"), 1},
		"with another after": {pem(encoded) + pem(encoded), 2},
	} {
		metadata := reshaped(t, "<ds:X509Certificate>", "<ds:X509Certificate>"+tt.data+"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor><KeyDescriptor use=\"encryption\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>")
		app, err := ApplicationFromMetadata([]byte(metadata), "x")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if sp, err := Read(app); err != nil || len(sp.Keys) != tt.keys || len(sp.LeftOut) != 0 {
			t.Errorf("%s: %+v, %v; want %d keys", name, sp, err, tt.keys)
		}
	}
}

// Metadata is read in the encodings that operators' programs write, and refused in others
// with what to do about it.
func TestSAML2_Encodings(t *testing.T) {
	metadata := reshaped(t, "</EntityDescriptor>", `<Organization><OrganizationDisplayName xml:lang="de">Krähe</OrganizationDisplayName></Organization></EntityDescriptor>`)
	units := utf16.Encode([]rune("\ufeff" + `<?xml version="1.0" encoding="UTF-8"?>` + metadata))
	wide := make([]byte, 0, 2*len(units))
	for _, u := range units {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, doc := range map[string]string{
		"UTF-8":      metadata,
		"UTF-16":     string(wide),
		"ISO 8859-1": `<?xml version="1.0" encoding="iso-8859-1"?>` + strings.ReplaceAll(metadata, "ä", "\xe4"),
		"US-ASCII":   `<?xml version="1.0" encoding="US-ASCII"?>` + strings.ReplaceAll(metadata, "ä", "&#xe4;"),
	} {
		if app, err := ApplicationFromMetadata([]byte(doc), ""); err != nil || app.Name != "Krähe" {
			t.Errorf("%s: %q, %v", name, app.Name, err)
		}
	}
	_, err := ApplicationFromMetadata([]byte(`<?xml version="1.0" encoding="windows-1252"?>`+metadata), "")
	if !errors.Is(err, identity.Invalid) || !strings.Contains(err.Error(), `character set "windows-1252"`) || !strings.Contains(err.Error(), "save it as UTF-8") {
		t.Errorf("another: %v", err)
	}
}

// The two formats that do not exist are those of 1.1 that they are meant for.
func TestSAML3_MistakenFormats(t *testing.T) {
	for name, want := range map[string]string{
		"urn:oasis:names:tc:SAML:2.0:nameid-format:emailAddress": EmailAddress,
		"urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified":  Unspecified,
		Persistent: Persistent,
	} {
		app, err := ApplicationFromMetadata([]byte(reshaped(t, "</KeyDescriptor>", "</KeyDescriptor><NameIDFormat>"+name+"</NameIDFormat>")), "x")
		if err != nil {
			t.Fatal(err)
		}
		if sp, err := Read(app); err != nil || sp.NameID != want {
			t.Errorf("%s: %v, %v; want %s", name, sp.NameID, err, want)
		}
	}
}

// What an operator decided of an application stays when its metadata is read again.
func TestSAML3_AForcedFormatSurvivesMetadata(t *testing.T) {
	app, err := ApplicationFromMetadata([]byte(reshaped(t, "", "")), "x")
	if err == nil {
		app, err = WithNameID(app, EmailAddress)
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadMetadata([]byte(reshaped(t, "</KeyDescriptor>", "</KeyDescriptor><NameIDFormat>"+Persistent+"</NameIDFormat>")), "", time.Now())
	if err == nil {
		app, err = again.Onto(app)
	}
	if err != nil {
		t.Fatal(err)
	}
	if sp, err := Read(app); err != nil || sp.ForceNameID != EmailAddress || sp.NameID != Persistent {
		t.Errorf("%+v, %v", sp, err)
	}
	if _, err := WithNameID(app, "urn:x"); !errors.Is(err, identity.Invalid) {
		t.Errorf("a format nobody gives out: %v", err)
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
	f.Add([]byte(strings.Replace(metadata, "<ds:X509Certificate>", "<ds:X509Certificate>-----BEGIN CERTIFICATE-----AAAA", 1)))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
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
		if len(sp.Endpoints) == 0 || len(sp.LeftOut) > maxLeftOut {
			t.Errorf("%d addresses, %d parts left out", len(sp.Endpoints), len(sp.LeftOut))
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

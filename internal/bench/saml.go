package main

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp"
)

// Where the service provider lives.
const (
	entityID = "https://app.example.org/saml/metadata"
	consumer = "https://app.example.org/saml/acs"
)

// A provider is an application by SAML. It signs its requests by ECDSA: an RSA
// signature would cost the load, on the server's own cores, a good part of what
// the server does; to check, ECDSA costs the server more.
type provider struct {
	key         *ecdsa.PrivateKey
	certificate []byte
}

func newProvider() (*provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := selfSigned(key)
	return &provider{key, der}, err
}

// application is what the provider's metadata makes of it.
func (sp *provider) application() (identity.Application, error) {
	return samlsp.ApplicationFromMetadata([]byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="`+entityID+`">
		<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
		<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>`+
		base64.StdEncoding.EncodeToString(sp.certificate)+`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
		<NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</NameIDFormat>
		<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="`+consumer+`" index="0"/>
		</SPSSODescriptor></EntityDescriptor>`), "By SAML")
}

// A serviceProvider is an application's own server, for one browser.
type serviceProvider struct {
	*provider
	sso      string // the identity provider's address
	trusted  *dsig.ValidationContext
	answered int
}

// newServiceProvider fetches the identity provider's metadata, for its
// certificate.
func newServiceProvider(ctx context.Context, p *provider, base string) (*serviceProvider, error) {
	tenant := base + "/t/" + slug
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, tenant+"/saml/metadata", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	metadata := etree.NewDocument()
	if _, err := metadata.ReadFrom(res.Body); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var roots dsig.MemoryX509CertificateStore
	for _, e := range metadata.FindElements("//IDPSSODescriptor/KeyDescriptor//X509Certificate") {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), ""))
		if err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		roots.Roots = append(roots.Roots, certificate)
	}
	return &serviceProvider{provider: p, sso: tenant + "/saml/sso", trusted: dsig.NewDefaultValidationContext(&roots)}, nil
}

// request makes the address a browser is sent to: a signed AuthnRequest by
// redirect (SAML bindings, section 3.4.4.1).
func (sp *serviceProvider) request() (path, id string, err error) {
	id = "id-" + rand.Text()
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.BestSpeed)
	if err != nil {
		return "", "", err
	}
	_, err = fmt.Fprintf(w, `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`+
		` ID="%s" Version="2.0" IssueInstant="%s" Destination="%s" AssertionConsumerServiceURL="%s"`+
		` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>%s</saml:Issuer></samlp:AuthnRequest>`,
		id, time.Now().UTC().Format("2006-01-02T15:04:05Z"), sp.sso, consumer, entityID)
	if err := errors.Join(err, w.Close()); err != nil {
		return "", "", err
	}
	query := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflated.Bytes())) +
		"&RelayState=" + id + "&SigAlg=" + url.QueryEscape(dsig.ECDSASHA256SignatureMethod)
	digest := sha256.Sum256([]byte(query))
	r, s, err := ecdsa.Sign(rand.Reader, sp.key, digest[:])
	if err != nil {
		return "", "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	at, err := url.Parse(sp.sso)
	if err != nil {
		return "", "", err
	}
	return at.Path + "?" + query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature[:])), id, nil
}

// everyNth answer has both its signatures checked, which takes a provider longer
// than it takes to make them; of all others only what they say is read.
const everyNth = 50

// redeem checks the page that posts an answer: that it is a success, of this
// request and of this person, and signed twice.
func (sp *serviceProvider) redeem(at page, id string, p *person) error {
	response, err := base64.StdEncoding.DecodeString(field(at.body, "SAMLResponse"))
	if err != nil || len(response) == 0 {
		return fmt.Errorf("no SAMLResponse at %q %q: %w", at.path, at.leads, err)
	}
	text := string(response)
	for what, times := range map[string]int{
		`Value="urn:oasis:names:tc:SAML:2.0:status:Success"`: 1,
		`InResponseTo="` + id + `"`:                          2, // of the response, and of the assertion
		">" + p.name + "<":                                   1,
		"SignatureValue>":                                    4, // beginning and end of two
	} {
		if got := strings.Count(text, what); got != times {
			return fmt.Errorf("response has %s %d times, want %d: %s", what, got, times, text)
		}
	}
	sp.answered++
	if sp.answered%everyNth != 1 {
		return nil
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(response); err != nil {
		return err
	}
	whole, err := sp.trusted.Validate(doc.Root())
	if err != nil {
		return fmt.Errorf("signature of the response: %w", err)
	}
	assertion := whole.FindElement("./Assertion")
	if assertion == nil {
		return errors.New("response without an assertion")
	}
	if _, err := sp.trusted.Validate(assertion); err != nil {
		return fmt.Errorf("signature of the assertion: %w", err)
	}
	return nil
}

// signIn takes a browser through a login to the application and back.
func (sp *serviceProvider) signIn(b *browser, p *person) error {
	path, id, err := sp.request()
	if err != nil {
		return err
	}
	at, err := b.open(path)
	if err != nil {
		return err
	}
	if at, err = b.login(at, p); err != nil {
		return err
	}
	return sp.redeem(at, id, p)
}

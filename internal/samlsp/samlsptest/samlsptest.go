// Package samlsptest writes metadata of service providers, for tests.
package samlsptest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"sync"
	"testing"
	"time"
)

// A Shape says what a service provider's metadata is like.
type Shape struct {
	EntityID string // empty is "https://sp.example/saml"
	Signs    bool   // AuthnRequestsSigned
	NoKey    bool
	Key      crypto.Signer // empty is an RSA key all tests share
	Format   string        // NameIDFormat
}

// The addresses in it that take POST: ACS is the default.
const (
	ACS      = "https://sp.example/acs"
	OtherACS = "https://sp.example/other?x=1"
)

// SharedKey is one RSA key: making them takes longer than all else in the tests.
var SharedKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// Certify wraps a key in a certificate that has expired long ago: that must not
// matter.
func Certify(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sp"},
		NotBefore: time.Unix(1_000_000_000, 0), NotAfter: time.Unix(1_100_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Describe writes a service provider's metadata, and returns the certificate in it.
func Describe(t testing.TB, s Shape) (metadata string, cert []byte) {
	t.Helper()
	var keys, format string
	cert = Certify(t, s.Key)
	if !s.NoKey {
		keys = `<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` +
			base64.StdEncoding.EncodeToString(cert) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`
	}
	if s.Format != "" {
		format = `<NameIDFormat>` + s.Format + `</NameIDFormat>`
	}
	signs := ""
	if s.Signs {
		signs = ` AuthnRequestsSigned="true"`
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + s.EntityID + `">` +
		`<!-- written by hand --><SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"` + signs + `>` + keys + format +
		`<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Location="https://sp.example/artifact" index="0"/>` +
		`<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + OtherACS + `" index="1"/>` +
		`<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + ACS + `" index="2" isDefault="true"/>` +
		`</SPSSODescriptor></EntityDescriptor>`, cert
}

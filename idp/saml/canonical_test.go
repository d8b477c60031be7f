package saml

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
)

// signBy signs a request in the document with a canonicalization in both places, as libraries do that have no other
// by default.
func (p *party) signBy(doc string, canonical dsig.Canonicalizer) string {
	p.t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		p.t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(p.key, [][]byte{p.cert})
	if err == nil {
		ctx.Canonicalizer = canonical
		err = ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	signature, err := ctx.ConstructSignature(tree.Root(), true)
	if err != nil {
		p.t.Fatal(err)
	}
	tree.Root().InsertChildAt(1, signature)
	out, err := write(tree.Root())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

// Of the inclusive canonicalizations, 1.1 is accepted in requests, in both places; it reads all of a request, so that
// whatever is changed in it is noticed.
func TestSAML6_Canonical11(t *testing.T) {
	h := one(t)
	p := h.add(samlsptest.Shape{Signs: true})
	sign := func(canonical dsig.Canonicalizer) string {
		return p.signBy(p.request("", `<samlp:Extensions><a:b xmlns:a="urn:a" c="1">x</a:b></samlp:Extensions>`), canonical)
	}
	good := sign(dsig.MakeC14N11Canonicalizer())
	if a := h.post(good, ""); !a.granted() {
		t.Errorf("refused, %d: %s", a.StatusCode, h.log.tear())
	}
	for name, changed := range map[string]string{
		"a text":        strings.Replace(good, ">x<", ">y<", 1),
		"an attribute":  strings.Replace(good, `c="1"`, `c="2"`, 1),
		"a namespace":   strings.Replace(good, "<samlp:Extensions>", `<samlp:Extensions xmlns:z="urn:z">`, 1),
		"an element":    strings.Replace(good, "</samlp:Extensions>", `</samlp:Extensions><samlp:NameIDPolicy/>`, 1),
		"its root":      strings.Replace(good, "<samlp:AuthnRequest ", `<samlp:AuthnRequest IsPassive="true" `, 1),
		"its language":  strings.Replace(good, "<samlp:AuthnRequest ", `<samlp:AuthnRequest xml:lang="en" `, 1),
		"its reference": strings.Replace(good, `"http://www.w3.org/2006/12/xml-c14n11"`, `"`+exclusive+`"`, 1),
	} {
		if changed == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if h.post(changed, "").granted() {
			t.Errorf("%s was changed, and the signature accepted", name)
		}
	}
	for name, canonical := range map[string]dsig.Canonicalizer{
		"1.0":               dsig.MakeC14N10RecCanonicalizer(),
		"1.1 with comments": dsig.MakeC14N11WithCommentsCanonicalizer(),
		"none":              dsig.MakeNullCanonicalizer(),
	} {
		if h.post(sign(canonical), "").granted() {
			t.Errorf("canonicalization %s was accepted", name)
		}
	}
}

// xmlsec1 shares no code with us: what it signs by Canonical XML 1.1, with namespaces that only the root declares, is
// verified here.
func TestSAML6_Canonical11ByXmlsec(t *testing.T) {
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("xmlsec1 is missing; scripts/prepare should have installed it")
		}
		t.Skip("xmlsec1 is not installed")
	}
	h := one(t)
	p := h.add(samlsptest.Shape{Signs: true})
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	id := "_by-xmlsec"
	doc := strings.Replace(p.requestAs(id, "", "<samlp:NameIDPolicy/>"), "</saml:Issuer>", `</saml:Issuer><ds:Signature xmlns:ds="`+signatureNS+`"><ds:SignedInfo>`+
		`<ds:CanonicalizationMethod Algorithm="`+canonical11+`"/><ds:SignatureMethod Algorithm="`+rsaSHA256+`"/><ds:Reference URI="#`+id+`"><ds:Transforms>`+
		`<ds:Transform Algorithm="`+enveloped+`"/><ds:Transform Algorithm="`+canonical11+`"/></ds:Transforms>`+
		`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`, 1)
	doc = strings.Replace(doc, "<samlp:AuthnRequest ", `<samlp:AuthnRequest xmlns:unused="urn:unused" `, 1)
	cmd := exec.CommandContext(t.Context(), "xmlsec1", "--sign", "--privkey-pem", write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest", write("request.xml", []byte(doc)))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	signed, err := cmd.Output()
	if err != nil {
		t.Fatalf("xmlsec1: %v\n%s", err, complaints.String())
	}
	_, request, _ := strings.Cut(string(signed), "?>") // the declaration
	if a := h.post(strings.TrimSpace(request), ""); !a.granted() {
		t.Errorf("refused, %d: %s", a.StatusCode, h.log.tear())
	}
}

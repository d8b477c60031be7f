package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"github.com/latchkey-id/latchkey/internal/signingkey"
)

// exclusive and canonical11 are the supported canonicalizations, and enveloped is the only other transform. SAML
// asks for the first (SAML core, section 5.4.3), but much that is written in Go signs by the second, which reads
// no less of a request: it has no comments, and its root has no context.
const (
	exclusive   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	canonical11 = "http://www.w3.org/2006/12/xml-c14n11"
	enveloped   = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

// methods are the accepted signature methods (SAML-1). SHA-1, HMAC and "none" are not among them.
var methods = map[string]struct {
	hash crypto.Hash
	rsa  bool
}{
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":   {crypto.SHA256, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":   {crypto.SHA384, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":   {crypto.SHA512, true},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": {crypto.SHA256, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": {crypto.SHA384, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": {crypto.SHA512, false},
}

var digests = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
}

// verify checks that the key of one of the certificates made a signature of data. The dates of the
// certificates are ignored, because an expired certificate has the same key.
func verify(certificates []*x509.Certificate, method string, data, signature []byte) error {
	m, ok := methods[method]
	if !ok {
		return because(byAlgorithm, "signature method %q%s", method, outdated(method))
	}
	h := m.hash.New()
	h.Write(data)
	digest := h.Sum(nil)
	for _, c := range certificates {
		switch key := c.PublicKey.(type) {
		case *rsa.PublicKey:
			if m.rsa && rsa.VerifyPKCS1v15(key, m.hash, digest, signature) == nil {
				return nil
			}
		case *ecdsa.PublicKey:
			if !m.rsa && verifyECDSA(key, digest, signature) {
				return nil
			}
		}
	}
	return errors.New("signature is of none of the application's keys")
}

// outdated says what to do about an algorithm by SHA-1, which is the one that operators meet.
func outdated(algorithm string) string {
	if strings.HasSuffix(algorithm, "sha1") {
		return " is SHA-1, which can be forged: have the application sign with RSA-SHA256"
	}
	return ""
}

// verifyECDSA accepts r and s concatenated, as XML Signature defines (RFC 4050, section 3.3), and as ASN.1,
// which many implementations send.
func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	half := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) == 2*half {
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return ecdsa.VerifyASN1(key, digest, signature)
}

// signedInfo is the signed part of a signature (XML Signature, section 4.4).
type signedInfo struct {
	XMLName    xml.Name  `xml:"http://www.w3.org/2000/09/xmldsig# SignedInfo"`
	Method     transform `xml:"SignatureMethod"`
	References []struct {
		URI        string      `xml:",attr"`
		Transforms []transform `xml:"Transforms>Transform"`
		Digest     transform   `xml:"DigestMethod"`
		Value      string      `xml:"DigestValue"`
	} `xml:"Reference"`
}

type transform struct {
	Algorithm string `xml:",attr"`
	Inclusive struct {
		Prefixes string `xml:"PrefixList,attr"`
	} `xml:"http://www.w3.org/2001/10/xml-exc-c14n# InclusiveNamespaces"`
}

// signed reports whether a document contains a signature anywhere.
func signed(root *etree.Element) bool {
	return len(signaturesIn(root)) > 0
}

func signaturesIn(e *etree.Element) (found []*etree.Element) {
	if e.Tag == "Signature" && e.NamespaceURI() == signatureNS {
		found = append(found, e)
	}
	for _, child := range e.ChildElements() {
		found = append(found, signaturesIn(child)...)
	}
	return found
}

// canonicalizer returns a supported canonicalization, or nil.
func canonicalizer(algorithm, prefixes string) dsig.Canonicalizer {
	switch algorithm {
	case exclusive:
		return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes)
	case canonical11:
		return dsig.MakeC14N11Canonicalizer()
	}
	return nil
}

// verifyEnveloped verifies the signature of a whole document and returns the signed octets. Only these may
// be read afterwards. The signature must be the only one, a child of the root, and its only reference must
// be to the root. Everything else that XML Signature allows could make a reader look at other data than
// the verifier did.
func verifyEnveloped(root *etree.Element, certificates []*x509.Certificate) ([]byte, error) {
	found := signaturesIn(root)
	if len(found) != 1 || found[0].Parent() != root {
		return nil, errors.New("signature is not where it belongs")
	}
	signature := found[0]
	value, err := onlyChild(signature, "SignatureValue")
	if err != nil {
		return nil, err
	}
	infoElement, err := onlyChild(signature, "SignedInfo")
	if err != nil {
		return nil, err
	}
	declared, err := onlyChild(infoElement, "CanonicalizationMethod")
	if err != nil {
		return nil, err
	}
	// SignedInfo is canonicalized in its context, and read from the result.
	scope, err := etreeutils.NSBuildParentContext(infoElement)
	if err != nil {
		return nil, err
	}
	alone, err := etreeutils.NSDetatch(scope, infoElement)
	if err != nil {
		return nil, err
	}
	method := declared.SelectAttrValue("Algorithm", "")
	canonical := canonicalizer(method, prefixes(declared))
	if canonical == nil {
		return nil, because(byAlgorithm, "canonicalization method %q", method)
	}
	octets, err := canonical.Canonicalize(alone)
	if err != nil {
		return nil, err
	}
	var info signedInfo
	if err := xml.Unmarshal(octets, &info); err != nil {
		return nil, err
	}
	mark, err := base64.StdEncoding.DecodeString(squeeze(value.Text()))
	if err != nil {
		return nil, errors.New("signature is not base64")
	}
	if err := verify(certificates, info.Method.Algorithm, octets, mark); err != nil {
		return nil, err
	}
	return referenced(root, signature, info)
}

// referenced returns the octets that a verified signature refers to, if they have the given digest.
func referenced(root, signature *etree.Element, info signedInfo) ([]byte, error) {
	if len(info.References) != 1 {
		return nil, fmt.Errorf("%d references", len(info.References))
	}
	ref := info.References[0]
	if id := root.SelectAttrValue("ID", ""); id == "" || ref.URI != "#"+id {
		return nil, fmt.Errorf("reference to %q", ref.URI) // also an empty one, which readers interpret differently
	}
	var canonical dsig.Canonicalizer
	if len(ref.Transforms) == 2 && ref.Transforms[0].Algorithm == enveloped {
		canonical = canonicalizer(ref.Transforms[1].Algorithm, ref.Transforms[1].Inclusive.Prefixes)
	}
	if canonical == nil {
		return nil, because(byAlgorithm, "other transforms than SAML allows") // SAML core, section 5.4.4
	}
	hash, ok := digests[ref.Digest.Algorithm]
	if !ok {
		return nil, because(byAlgorithm, "digest method %q%s", ref.Digest.Algorithm, outdated(ref.Digest.Algorithm))
	}
	rest := root.Copy()
	rest.RemoveChildAt(signature.Index())
	octets, err := canonical.Canonicalize(rest)
	if err != nil {
		return nil, err
	}
	want, err := base64.StdEncoding.DecodeString(squeeze(ref.Value))
	if err != nil {
		return nil, errors.New("digest is not base64")
	}
	h := hash.New()
	h.Write(octets)
	if subtle.ConstantTimeCompare(h.Sum(nil), want) != 1 {
		return nil, errors.New("digest is of something else")
	}
	return octets, nil
}

// onlyChild returns the only child of a signature's element with a name.
func onlyChild(e *etree.Element, tag string) (*etree.Element, error) {
	var only *etree.Element
	for _, child := range e.ChildElements() {
		if child.Tag != tag {
			continue
		}
		if only != nil || child.NamespaceURI() != signatureNS {
			return nil, fmt.Errorf("more than one %s", tag)
		}
		only = child
	}
	if only == nil {
		return nil, fmt.Errorf("no %s", tag)
	}
	return only, nil
}

// prefixes returns the PrefixList of a canonicalization method.
func prefixes(method *etree.Element) string {
	for _, child := range method.ChildElements() {
		if child.Tag == "InclusiveNamespaces" && child.NamespaceURI() == exclusive {
			return child.SelectAttrValue("PrefixList", "")
		}
	}
	return ""
}

// squeeze removes white space from base64.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// sign signs an element with RSA-SHA256 and inserts the signature at the position that the schemas define:
// after the first child (the Issuer) of a message or an assertion, and before all children in metadata.
func sign(e *etree.Element, key signingkey.Key, place int) error {
	ctx, err := dsig.NewSigningContext(key.Signer, [][]byte{key.Certificate})
	if err != nil {
		return fmt.Errorf("saml: sign: %w", err)
	}
	ctx.Prefix = dsig.DefaultPrefix
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		return fmt.Errorf("saml: sign: %w", err)
	}
	signature, err := ctx.ConstructSignature(e, true)
	if err != nil {
		return fmt.Errorf("saml: sign: %w", err)
	}
	e.InsertChildAt(place, signature)
	return nil
}
